"""gristmill chat"""

import sys

import click

from gristmill.flows.cli.options import settings_option
from gristmill.flows.cli.output import say


@click.command()
@click.argument("run")
@click.option("--template", metavar="NAME", help="Chat template: a shipped one or a file [default: that of RUN].")
@click.option("--system", metavar="TEXT", help="System turn to begin each conversation with.")
@settings_option("sample or machine")
def chat(run, template, system, changes):
    """Print the answers of the model in RUN to questions, a line each. An empty line begins a new conversation.

    Settings: sample.temperature (0.7; 0 is greedy), sample.top_k, sample.top_p, sample.max_new_tokens (256),
    sample.stop_tokens, sample.seed.

    \b
        gristmill chat work/runs/assistant
        echo "What grinds the corn?" | gristmill chat work/runs/assistant --set sample.temperature=0
    """
    from gristmill.flows.models.instructing import Chat

    conversation = Chat(run, template, system, changes)
    while True:
        if sys.stdin.isatty():
            say("> ", nl=False)
        if not (line := sys.stdin.readline()):
            return
        if not (question := line.strip()):
            conversation.restart()
            continue
        for piece in conversation.answer(question):
            say(piece, nl=False, lines=True)
        say()
