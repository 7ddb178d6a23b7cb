"""The ``gristmill`` command: a group of small commands, each loaded when it is called."""

import importlib

import click

from pipelines.errors import GristmillError

# name -> module of flows.cli that holds a click command of that name ("-" read as "_")
COMMANDS = {
    "clean": "clean",
    "ingest": "ingest",
    "judge": "judge",
    "why": "why",
    "what-if": "what_if",
    "inspect": "inspect",
    "demo": "demo",
    "compare-languages": "compare_languages",
}


class Lazy(click.Group):
    """Imports a command's module only when it is asked for, so that ``gristmill --help`` answers at once."""

    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"flows.cli.{COMMANDS[name]}")
        return getattr(module, COMMANDS[name])
