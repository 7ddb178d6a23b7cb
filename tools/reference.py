"""Reference of the documentation site, made from the classes of settings, the commands and the library as they are."""

import inspect
import re

import click

import gristmill as gm
from gristmill.flows.clean.recipe import STEPS
from gristmill.flows.cli import SECTIONS, Lazy
from gristmill.flows.project.describe import SECTION_NAMES, describe

MODULES = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")  # before the names of types
ABOUT = """Tables of a recipe and of `--set`, which names a step without `steps.`: `--set gopher.min_words=30`. `"off"`
switches a rule off. Thresholds by language are `[steps.NAME.profiles.LANGUAGE]`."""
OF_EVERY_FILTER = ("profiles", "use_profiles")  # thresholds by language: [steps.NAME.profiles.LANGUAGE]


def settings_page() -> str:
    """Return the page of all tables of a recipe, with the type, default and meaning of each setting."""
    lines = ["# Settings", "", ABOUT, ""]
    for name in (*SECTION_NAMES, *STEPS):
        found = describe(name)
        lines += [f"## [{f'steps.{name}' if name in STEPS else name}]", "", f"{found.purpose}.", ""]
        lines += [f"Source: {found.source}.", ""] if found.source else []
        lines += ["| setting | value | default | |", "| --- | --- | --- | --- |"]
        for each in found.settings:
            if each.name not in OF_EVERY_FILTER:
                default = each.default if len(each.default) <= 60 else f"{each.default[:60]}…"
                row = [f"`{each.name}`", each.type, f"`{default}`", each.about]
                escaped = [cell.replace("|", "&#124;").replace("<", "&lt;") for cell in row]
                lines.append(f"| {' | '.join(escaped)} |")
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
