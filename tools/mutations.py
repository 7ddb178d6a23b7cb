"""Single-token mutations of Python source: where they can be made, and the source that each makes.

A mutation changes a comparison, ``and``/``or``, ``not``, ``min``/``max``, an arithmetic operator or a small number in
code that runs. Docstrings, annotations, decorators, f-strings, ``help=`` texts, log calls, ``raise``, ``__main__`` and
``TYPE_CHECKING`` blocks, and literal tables of more than 16 entries are left alone.
"""

import ast
import io
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

Choices = dict[str, tuple[str, ...]]  # token -> what it may become
COMPARISONS: Choices = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "in": ("not in",),
    "not in": ("in",),
    "is": ("is not",),
    "is not": ("is",),
}
ARITHMETIC: Choices = {
    **{"+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "//": ("*",), "%": ("//",), "**": ("*",)},
    **{"<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("|",)},
}
BOOLEAN: Choices = {"and": ("or",), "or": ("and",)}
CALLS: Choices = {"min": ("max",), "max": ("min",)}
LARGEST = 1024  # integer: larger ones are sizes of buffers and multipliers of hashes, which no result shows
TABLE = 16  # entries of a literal
EXPONENT_STEP = 7  # 2**-23 -> 2**-30
LOGGERS = {"log", "logger", "logging"}

Position = tuple[int, int]  # line, from 1, and character, from 0


class Mutation(NamedTuple):
    """Change of a source: the text from ``start`` to ``stop`` becomes ``new``."""

    start: Position
    stop: Position
    old: str
    new: str

    def apply(self, source: str) -> str:
        """Return the changed source."""
        lines = source.splitlines(keepends=True)
        (first, left), (last, right) = self.start, self.stop
        lines[first - 1 : last] = [lines[first - 1][:left] + self.new + lines[last - 1][right:]]
        return "".join(lines)


def is_left_alone(node: ast.AST) -> bool:
    """True if nothing inside the node is changed."""
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.keyword(arg="help"):
            return True
        case ast.If(test=test):
            return "TYPE_CHECKING" in ast.unparse(test) or "__main__" in ast.unparse(test)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            return name in LOGGERS
        case ast.List(elts=entries) | ast.Tuple(elts=entries) | ast.Set(elts=entries) | ast.Dict(values=entries):
            return len(entries) > TABLE
    return False


def nodes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield each node of code that runs, with its parent."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not is_left_alone(child):
                yield child, node
                yield from nodes(child)


class Source:
    """A source with its syntax tree and its tokens, both in characters."""

    def __init__(self, text: str):
        self.text, self.lines = text, text.splitlines()
        self.tree = ast.parse(text)
        kinds = (tokenize.OP, tokenize.NAME, tokenize.NUMBER)
        self.tokens = [each for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type in kinds]

    def position(self, line: int, byte: int) -> Position:
        """Return a position whose column the syntax tree counts in bytes."""
        return line, len(self.lines[line - 1].encode()[:byte].decode())

    def start(self, node) -> Position:
        """Return where a node begins."""
        return self.position(node.lineno, node.col_offset)

    def stop(self, node) -> Position:
        """Return where a node ends."""
        return self.position(node.end_lineno, node.end_col_offset)

    def between(self, start: Position, stop: Position, news: Choices) -> Iterator[Mutation]:
        """Yield the mutations of the operator between two operands; "not in" and "is not" are two tokens."""
        found = [each for each in self.tokens if start <= each.start and each.end <= stop and each.string not in "()"]
        if found and (old := " ".join(each.string for each in found)) in news:
            yield from (Mutation(found[0].start, found[-1].end, old, new) for new in news[old])

    def whole(self, node, news: tuple[str, ...]) -> Iterator[Mutation]:
        """Yield the mutations of a node that is one token."""
        start, stop = self.start(node), self.stop(node)
        yield from (Mutation(start, stop, self.lines[start[0] - 1][start[1] : stop[1]], new) for new in news)


def numbers(node: ast.Constant, parent: ast.AST) -> tuple[str, ...]:
    """Return what a number becomes: its neighbors, or for an exponent one that is far off."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ()
    if isinstance(value, float):
        return (repr(value * 1.1 if value else 0.1),)
    if value > LARGEST:
        return ()
    if (
        isinstance(parent, ast.UnaryOp | ast.BinOp)
        and isinstance(parent.op, ast.USub | ast.Pow)
        and value > EXPONENT_STEP
    ):
        return (str(value + EXPONENT_STEP),)
    return (str(value + 1), str(value - 1)) if value else ("1",)


def mutations(text: str) -> list[Mutation]:
    """Return every mutation of a source, in order."""
    source = Source(text)
    found: list[Mutation] = []
    for node, parent in nodes(source.tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                for a, b in pairwise([left, *others]):
                    found += source.between(source.stop(a), source.start(b), COMPARISONS)
            case ast.BoolOp(values=operands):
                for a, b in pairwise(operands):
                    found += source.between(source.stop(a), source.start(b), BOOLEAN)
            case ast.BinOp(left=left, right=right):
                found += source.between(source.stop(left), source.start(right), ARITHMETIC)
            case ast.AugAssign(target=target, value=value):
                becomes = {f"{old}=": tuple(f"{each}=" for each in news) for old, news in ARITHMETIC.items()}
                found += source.between(source.stop(target), source.start(value), becomes)
            case ast.UnaryOp(op=ast.Not()):
                start = source.start(node)
                found.append(Mutation(start, (start[0], start[1] + len("not ")), "not ", ""))
            case ast.Call(func=ast.Name(id="min" | "max" as name) as function):
                found += source.whole(function, CALLS[name])
            case ast.Constant():
                found += source.whole(node, numbers(node, parent))
    return sorted(set(found))
