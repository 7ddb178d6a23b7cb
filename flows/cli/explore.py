"""gristmill explore"""

import secrets
from contextlib import suppress

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say


@click.command()
@work_argument
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8600,
    show_default=True,
    help="Port; 0 chooses a free one.",
)
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    metavar="TOKENIZER",
    help="Another tokenizer to show.",
)
def explore(work, port, tokenizers):
    """Serve the run in WORK to a browser until Ctrl-C: its documents, its reasons, thresholds to move, SQL.

    Only this machine can connect (127.0.0.1), with the token of the address that is printed. Nothing is written; the
    browser downloads moved thresholds as a recipe.

    \b
        gristmill explore work
        gristmill explore work --port 0 --tokenizer tokenizer
    """
    from gristmill.flows.explorer.app import application
    from gristmill.flows.explorer.index import RunIndex
    from gristmill.flows.explorer.tokens import Tokenizers
    from gristmill.flows.loopback import HOST, listen, serve
    from gristmill.pipelines.storage.files import to_path

    with listen(port) as listening, suppress(KeyboardInterrupt):  # Ctrl-C is how it is meant to end
        index = RunIndex(to_path(work))
        token = secrets.token_urlsafe(16)
        app = application(index, Tokenizers(to_path(work), tokenizers), token)
        address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
        say(f"{index.documents:,} documents of {work} at {address}  (Ctrl-C stops the server)")
        serve(app, listening)
