"""gristmill serve"""

import os

import click

from gristmill.flows.cli.options import whole
from gristmill.flows.cli.output import say


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Port of the server.")
@click.option(
    "--limit",
    type=whole(1, 1024),
    default=1,
    show_default=True,
    help="Number of concurrent flow runs.",
)
def serve(port, limit):
    """Register the flows as Prefect deployments and run them on request, until Ctrl-C.

    Starts a Prefect server on this machine (database in ~/.prefect), unless PREFECT_API_URL or the Prefect profile
    names a server.

    \b
        gristmill serve --port 4200
        prefect deployment run clean-corpus/local --watch
    """
    from gristmill.flows.orchestration import serve

    with serve.server(port) as url:
        os.environ["PREFECT_API_URL"] = url
        os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "gristmill")
        from prefect.settings import temporary_settings

        def announce() -> None:
            names = ", ".join(f"{name}/local" for name in serve.DEPLOYED)
            say(f"Serving {names} at {url.removesuffix('/api')}. In another terminal:\n", lines=True)
            say(f"    export PREFECT_API_URL={url}")
            say("    prefect deployment run clean-corpus/local --watch\n", lines=True)

        with temporary_settings({}):
            serve.serve(limit, announce)
