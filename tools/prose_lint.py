"""Lint of sentences: first words and banned forms of docstrings, help texts, comments and error messages.

Run ``python -m tools.prose_lint PATH...``; each PATH is a file or a folder, by default all that the test reads. It
prints one line ``file:line: problem`` for each problem and exits with 1 if there is any.

- A public function's docstring begins with a verb of tools/prose.toml, or with "True if".
- A class's docstring begins with a noun phrase; a property's, a module's and a help text with a noun phrase or a verb.
- Docstrings, help texts, comments and messages of ``raise`` contain no form that tools/prose.toml bans.
"""

import ast
import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
LINTED = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows", "gristmill", "benchmarks", "tools")
WORDS = tomllib.loads((REPOSITORY / "tools/prose.toml").read_text("utf-8"))
VERBS, NOUNS, AFTER_VERBS, NO_NOUNS = (
    frozenset(WORDS[key].split()) for key in ("verbs", "also_nouns", "after_verbs", "no_nouns")
)
BANNED = {re.compile(form, re.IGNORECASE): advice for form, advice in WORDS["banned"].items()}
PROPERTIES = {"property", "cached_property", "setter"}

Problem = tuple[int, str]


def third_person(verb: str) -> str:
    """Return the form that "it" takes: "write" -> "writes", "carry" -> "carries"."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


IMPERATIVES = {third_person(verb): verb for verb in VERBS}


def first_words(text: str) -> tuple[str, str]:
    """Return the first two words in lower case; code in backticks is "code", and "" stands for none."""
    text = re.sub(r"``?[^`]+``?", "code", text.lstrip("\"'(*-\b\n "))
    words = [re.sub(r"['’].*", "", word).strip('.,:;()"').lower() for word in text.split()[:2]] + ["", ""]
    return words[0], words[1]


def is_verb(first: str, second: str, verbs=VERBS) -> bool:
    """True if the first word is a verb here: of "Count the words" and "Counts the words", not of "Count of words"."""
    noun = IMPERATIVES.get(first, first)
    return first in verbs and (noun not in NOUNS or second in AFTER_VERBS)


def wrong_for_function(text: str) -> str | None:
    """Return why a text may not be a function's docstring, or None."""
    first, second = first_words(text)
    if (first, second) == ("true", "if") or (first in VERBS and second != "of"):
        return None
    if first in IMPERATIVES:
        return f"begins with {first!r}, not with {IMPERATIVES[first]!r}"
    return f"begins with {' '.join((first, second)).strip()!r}, not with a verb of tools/prose.toml"


def wrong_for_noun(text: str, verbs_too: bool) -> str | None:
    """Return why a text begins with no noun phrase (or verb, if ``verbs_too``), or None."""
    first, second = first_words(text)
    if verbs_too and (first in VERBS or (first, second) == ("do", "not")):
        return None
    if is_verb(first, second) or is_verb(first, second, IMPERATIVES):
        return f"begins with the verb {first!r}"
    if first in NO_NOUNS or not first[:1].isalpha():
        return f"begins with {first!r}, not with a noun"
    return None


def banned_forms(text: str, line: int) -> Iterator[Problem]:
    """Yield each banned form of a text that begins in ``line``."""
    for form, advice in BANNED.items():
        for match in form.finditer(" ".join(text.split(" "))):
            yield line + text.count("\n", 0, match.start()), f"{match[0]!r}: {advice}"


def literal(node: ast.expr | None, constants: dict[str, ast.expr]) -> str | None:
    """Return the text of a string, of an f-string with "{}" for each value, of a sum of these, or of a constant."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part, constants) or "{}" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (literal(left, constants) or "{}") + (literal(right, constants) or "{}")
        case ast.Name(id=name) if name in constants:
            return literal(constants[name], {})
    return None


def docstring_problems(node, public: bool) -> Iterator[Problem]:
    """Yield problems of the docstrings of a module, class or function, and of all inside it but local functions."""
    body = node.body
    if (text := ast.get_docstring(node)) is not None:
        line, wrong = body[0].lineno, None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
            if public:
                wrong = wrong_for_noun(text, True) if names & PROPERTIES else wrong_for_function(text)
        elif isinstance(node, ast.ClassDef):
            wrong = wrong_for_noun(text, False)
        else:
            wrong = wrong_for_noun(text, True)
        if wrong:
            yield line, f"docstring of {getattr(node, 'name', 'the module')} {wrong}"
        yield from banned_forms(text, line)
    local = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for inner in body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from docstring_problems(inner, public and not local and not inner.name.startswith("_"))


def string_problems(tree: ast.Module) -> Iterator[Problem]:
    """Yield problems of ``help=`` texts and of the messages of ``raise``."""
    constants = {
        target.id: each.value
        for each in tree.body
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "help" and (text := literal(node.value, constants)):
            if wrong := wrong_for_noun(text, True):
                yield node.value.lineno, f"help {wrong}"
            yield from banned_forms(text, node.value.lineno)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                if text := literal(argument, {}):
                    yield from banned_forms(text, argument.lineno)


def comment_problems(source: str) -> Iterator[Problem]:
    """Yield each banned form of a comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from banned_forms(token.string, token.start[0])


def lint(source: str) -> list[Problem]:
    """Return the line and the text of each problem, in order."""
    tree = ast.parse(source)
    found = [*docstring_problems(tree, True), *string_problems(tree), *comment_problems(source)]
    return sorted(set(found))


def lint_paths(paths: list[Path]) -> Iterator[str]:
    """Yield ``file:line: problem`` for the Python files among and under ``paths``."""
    files = {file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])}
    for file in sorted(files):
        name = file.resolve().relative_to(REPOSITORY) if file.resolve().is_relative_to(REPOSITORY) else file
        yield from (f"{name}:{line}: {problem}" for line, problem in lint(file.read_text("utf-8")))


def main() -> None:
    """Print the problems of the paths in the command line."""
    paths = [Path(argument) for argument in sys.argv[1:]] or [REPOSITORY / name for name in LINTED]
    if missing := [str(path) for path in paths if not path.exists()]:
        sys.exit(f"no such file or folder: {', '.join(missing)}")
    problems = list(lint_paths(paths))
    print(*problems, sep="\n", end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
