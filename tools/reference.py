"""Reference of the documentation site, made from the classes of settings, the commands and the library as they are."""

import ast
import inspect
import re
import tokenize
from io import StringIO
from textwrap import dedent
from typing import Any

import click

import gristmill as gm
from gristmill.filters.fasttext.train import FastTextSettings
from gristmill.filters.ngram.train import NGramSettings
from gristmill.flows.clean.recipe import STEPS, InputSettings, OutputSettings
from gristmill.flows.cli import SECTIONS, Lazy
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.training.trainer import TrainSettings
from gristmill.tokenizers_lab.train import TokenizerSettings

TABLES: dict[str, type[Settings]] = {
    "input": InputSettings,
    "output": OutputSettings,
    **{f"steps.{name}": kind for name, kind in STEPS.items()},
    "tokenizer": TokenizerSettings,
    "tokens": TokenSettings,
    "model": ModelConfig,
    "train": TrainSettings,
    "ngram": NGramSettings,
    "classifier": FastTextSettings,
    "impact": ImpactRecipe,
}
MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")  # before the names of types
ABOUT = """Tables of a recipe and of `--set`, which names a step without `steps.`: `--set gopher.min_words=30`. `"off"`
switches a rule off. Thresholds by language are `[steps.NAME.profiles.LANGUAGE]`."""
OF_EVERY_FILTER = ("profiles", "use_profiles")  # thresholds by language: [steps.NAME.profiles.LANGUAGE]
BOUNDS = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}


def notes(kind: type) -> dict[str, str]:
    """Return the comment of each setting: behind it, or in the lines before it."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, Settings) or base is Settings:
            continue
        source = dedent(inspect.getsource(base))
        tokens = tokenize.generate_tokens(StringIO(source).readline)
        comments = {each.start[0]: each.string.lstrip("# ") for each in tokens if each.type == tokenize.COMMENT}
        alone = {line for line in comments if source.splitlines()[line - 1].lstrip().startswith("#")}
        (tree,) = ast.parse(source).body
        assert isinstance(tree, ast.ClassDef)
        for node in (node for node in tree.body if isinstance(node, ast.AnnAssign)):
            first = node.lineno
            while first - 1 in alone:
                first -= 1
            lines = [line for line in range(first, (node.end_lineno or first) + 1) if line in comments]
            found[ast.unparse(node.target)] = " ".join(comments[line] for line in lines)
    return found


def shape(schema: dict[str, Any]) -> str:
    """Return what a setting may be, in words, for its JSON schema."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(shape(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f'"{each}"' for each in schema.get("enum", [schema.get("const")]))
    kind = {"null": "off", None: "table", "object": "table", "array": "list"}.get(
        schema.get("type"), schema.get("type")
    )
    bounds = [f"{sign}{schema[key]}" for key, sign in BOUNDS.items() if key in schema]
    inner = shape(schema["items"]) if schema.get("items") else ""
    return " ".join([str(kind), *([f"of {inner}"] if inner else []), *bounds])


def cell(value: object) -> str:
    """Return a value for a cell of a table."""
    text = "off" if value is None else f'"{value}"' if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:60]}…"


def settings_page() -> str:
    """Return the page of all tables of a recipe, with the type, default and meaning of each setting."""
    lines = ["# Settings", "", ABOUT, ""]
    for name, kind in TABLES.items():
        about = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
        lines += [f"## [{name}]", "", about, "", "| setting | value | default | |", "| --- | --- | --- | --- |"]
        schema, meaning = kind.model_json_schema()["properties"], notes(kind)
        for key, field in kind.model_fields.items():
            if key in OF_EVERY_FILTER:
                continue
            default = "required" if field.is_required() else f"`{cell(field.get_default(call_default_factory=True))}`"
            note = meaning.get(key, "").replace("None", "off").replace("<", "&lt;")
            row = [f"`{key}`", shape(schema[field.alias or key]), default, note]
            lines.append(f"| {' | '.join(each.replace('|', '&#124;') for each in row)} |")
        lines.append("")
    return "\n".join(lines)


def helps(command: click.Command, name: str, parent: click.Context | None = None) -> list[str]:
    """Return the help of a command and of its subcommands, each under a heading."""
    context = click.Context(command, parent, name, max_content_width=100, terminal_width=100)
    lines = [f"### {context.command_path}", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        inner = [command.get_command(context, each) for each in command.list_commands(context)]
        lines += [line for each in inner if each for line in helps(each, each.name or "", context)]
    return lines


def commands_page() -> str:
    """Return the page with the help of every command."""
    group, lines = Lazy("gristmill"), ["# Commands", ""]
    context = click.Context(group, info_name="gristmill")
    for section, commands in SECTIONS.items():
        lines += [f"## {section}", ""]
        for name in commands:
            command = group.get_command(context, name)
            assert command
            lines += helps(command, name, context)
    return "\n".join(lines)


def described(name: str, value: object, level: str) -> list[str]:
    """Return a heading with the signature of a public name, its docstring, and the same for its methods."""
    try:
        signature = MODULES.sub("", str(inspect.signature(value))) if callable(value) else ""
    except ValueError:
        signature = ""
    lines = [f"{level} {name}", "", "```python", f"{name}{signature}", "```", "", "```text"]
    lines += [inspect.getdoc(value) or "", "```", ""]
    if inspect.isclass(value):
        inner = [(each, getattr(value, each)) for each in vars(value) if not each.startswith("_")]
        own = [(each, got) for each, got in inner if inspect.isfunction(got) or isinstance(got, property)]
        lines += [line for each, got in own for line in described(f"{name.partition('.')[2]}.{each}", got, "###")]
    return lines


def library_page() -> str:
    """Return the page of the public names of the library."""
    names = [name for name in sorted(gm.__all__, key=str.lower) if not name.startswith("_")]
    lines = [line for name in names for line in described(f"gm.{name}", getattr(gm, name), "##")]
    return "\n".join(["# Python", "", *lines])


PAGES = {"settings": settings_page, "commands": commands_page, "library": library_page}
