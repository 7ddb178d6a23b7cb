"""gristmill explore"""

from contextlib import suppress

import click


@click.command()
@click.argument("work", metavar="WORK")
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="0: any that is free.")
@click.option("--tokenizer", "tokenizers", multiple=True, metavar="TOKENIZER", help="Besides those in WORK/tokenizers.")
def explore(work, port, tokenizers):
    """Look through the run in WORK with a browser, until Ctrl-C: documents, reasons, and thresholds to move.

    Only this machine can reach it (127.0.0.1). Nothing is written: moved thresholds are downloaded as a recipe.

    \b
        gristmill explore work
        gristmill explore work --port 0 --tokenizer tokenizer
    """
    from gristmill.flows.explorer.app import application
    from gristmill.flows.explorer.index import RunIndex
    from gristmill.flows.explorer.serve import HOST, listen, serve
    from gristmill.flows.explorer.tokens import Tokenizers
    from gristmill.pipelines.storage.files import to_path

    listening = listen(port)
    index = RunIndex(to_path(work))
    app = application(index, Tokenizers(to_path(work), tokenizers))
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    with suppress(KeyboardInterrupt):  # how it is meant to end
        click.echo(f"{index.documents:,} documents of {work} at {address}  (Ctrl-C ends it)")
        serve(app, listening)
