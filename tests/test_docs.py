"""The documents tell what is there: files, symbols, settings, commands and their options."""

import ast
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path

import click
import pytest

from gristmill.flows.clean.recipe import STEPS
from gristmill.flows.cli import Lazy

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
PLACES = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows", "gristmill", "benchmarks", "tools")
NAMED = re.compile(rf"^((?:{'|'.join(PLACES)}|tests|recipes|docs)/[\w./-]*?)(?::([\w.]+))?$")
MADE = {"docs/site"}  # by `make docs`
COMMAND = re.compile(r"gristmill (?!CMD|COMMAND)[a-z]")


def blocks(text: str) -> list[str]:
    """Return the lines of all code blocks that are no Python."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for language, block in found if language != "python" for line in block.splitlines()]


def spans(text: str) -> list[str]:
    """Return what stands in backticks outside code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def on_each_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))(test)


@cache
def symbols(path: Path) -> set[str]:
    """Return the functions, classes and constants of a file, and what its classes define, as ``Class.name``."""

    def names(body, prefix=""):
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names(node.body, f"{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (prefix + name.id for target in targets if target for name in ast.walk(target)
                        if isinstance(name, ast.Name))  # fmt: skip

    return set(names(ast.parse(path.read_text("utf-8")).body))


@on_each_page
def test_files_and_symbols_exist(page):
    for path, symbol in (found.groups() for span in spans(page.read_text("utf-8")) if (found := NAMED.match(span))):
        file = REPOSITORY / path
        assert file.exists() or path in MADE, path
        assert not symbol or symbol in symbols(file), f"{path} has no {symbol}"


@on_each_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        assert target.startswith("http") or (page.parent / target).exists(), target


@on_each_page
def test_settings_exist(page):
    """``gopher.min_words``, the measure ``gopher.words``, the reason ``gopher.words_too_low``: the step has them."""
    text = page.read_text("utf-8")
    shown = "\n".join([*spans(text), *blocks(text)])
    steps = "|".join(STEPS)
    for step, setting in re.findall(rf"(?<![\w./])(?:steps\.)?({steps})\.([a-z]\w+)(?![\w./(])", shown):
        stem = re.sub("_too_(low|high)$", "", setting)
        names = setting, f"min_{stem}", f"max_{stem}"
        assert {*names} & {*STEPS[step].model_fields, "py", "toml"}, f"{step}.{setting}"


def commands(text: str) -> list[str]:
    """Return the command lines that a page shows, without what the shell does with them."""
    shown = [line for line in [*blocks(text), *spans(text)] if COMMAND.match(line)]
    inner = [found for line in shown for found in re.findall(r"\$\((gristmill [^|)]*)", line)]
    return [re.sub(r'"\$\(.*\)"', "ID", line) for line in shown] + inner


@on_each_page
def test_commands_know_the_options_shown(page):
    for line in commands(page.read_text("utf-8")):
        words = shlex.split(line, comments=True)
        words = words[1 : next((i for i, word in enumerate(words) if word in ("|", ">", "&&", "<")), None)]
        check_command(words, line)


def check_command(words: list[str], line: str) -> None:
    """Walk from the group to the command, then look every option up."""
    command: click.Command = Lazy("gristmill")
    while isinstance(command, click.Group):
        name = words[0] if words else None
        inner = command.get_command(click.Context(command), name) if name else None
        if inner is None:
            assert not words or (isinstance(command, click.Group) and name == "--help"), f"no such command: {line}"
            return
        command, words = inner, words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in known | {"--help"}, f"{word} in: {line}"


@on_each_page
def test_benchmarks_know_the_options_shown(page):
    text = page.read_text("utf-8")
    for module, rest in re.findall(r"python -m ((?:benchmarks|tools)[\w.]*)([^`\n]*)", text):
        file = REPOSITORY.joinpath(*module.split("."))
        source = (file / "__main__.py" if file.is_dir() else file.with_suffix(".py")).read_text("utf-8")
        for option in re.findall(
            r"(?<!\S)--[a-z][\w-]*", rest.partition(" -- ")[0]
        ):  # what follows is of another command
            assert f'"{option}"' in source, f"{module} has no {option}"


@on_each_page
def test_make_has_the_targets_shown(page):
    targets = set(re.findall(r"^([a-z][\w-]*):", (REPOSITORY / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    for line in [*blocks(text), *spans(text)]:
        if found := re.match(r"make ([a-z][\w-]*)", line):
            assert found[1] in targets, line


def test_every_dependency_has_its_reason():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"default": project["dependencies"], **project["optional-dependencies"]}
    wanted = {(re.match(r"[\w-]+", line)[0], group) for group, lines in groups.items() for line in lines}
    page = (REPOSITORY / "docs" / "dependencies.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| ([\w, ]+) \|", page, re.MULTILINE)
    assert {(name, group) for name, shown in rows for group in shown.split(", ")} == wanted


def test_every_decision_is_in_the_index():
    folder = REPOSITORY / "docs" / "decisions"
    index = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text("utf-8")))
    assert index == {path.name for path in folder.glob("*.md")} - {"README.md"}
