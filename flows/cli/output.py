"""Output of the commands, all of it escaped: no text of a file can send a control character to the terminal."""

import sys
from typing import Any

import click

from gristmill.flows.console import SafeConsole
from gristmill.flows.escape import LINE, TERMINAL, json_bytes

PIPE_WIDTH = 120  # characters of a table's line if standard output is no terminal


console = SafeConsole(stderr=True)  # progress and hints; results go to standard output
silent = SafeConsole(quiet=True)


def say(text: str = "", *, lines: bool = False, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a line, or several if ``lines``; ``style`` holds arguments of `click.style`."""
    text = text.translate(TERMINAL if lines else LINE)
    click.echo(click.style(text, **style) if style else text, err=err, nl=nl)


def say_json(value: Any, indent: bool = False) -> None:
    """Print a value as JSON, in UTF-8 whatever the terminal's encoding is."""
    click.echo(json_bytes(value, indent))


def say_violations(violations: list[dict]) -> None:
    """Print the rules that a document violates, one per line."""
    for each in violations:
        say(f"  {each['step']}.{each['rule']}: {each['value']:.6g} against {each['threshold']:.6g}")


def say_measures(measures: dict[str, dict]) -> None:
    """Print the measures of a document, one step per line; signatures and positions are left to ``--json``."""
    for step, values in measures.items():
        shown = {key: value for key, value in values.items() if not isinstance(value, list | bytes)}  # no signatures
        numbers = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in shown.items()}
        say(f"  {step}  " + "  ".join(f"{key} {n}" for key, n in numbers.items()), dim=True)


def say_table(table: Any) -> None:
    """Print a table of rich, as wide as the terminal."""
    click.echo(render(table))


def render(table: Any) -> str:
    """Return a table of rich as text, colored if standard output is a terminal."""
    terminal = SafeConsole(width=None if sys.stdout.isatty() else PIPE_WIDTH)
    with terminal.capture() as capture:
        terminal.print(table)
    return capture.get().rstrip("\n")
