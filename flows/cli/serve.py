"""gristmill serve"""

import os

import click

from gristmill.flows.cli.options import whole
from gristmill.flows.cli.output import say


@click.command()
@click.option(
    "--port",
    type=whole(0, 65535),
    default=4200,
    show_default=True,
    help="Port of the server; 0 chooses a free one.",
)
@click.option(
    "--root",
    type=click.Path(),
    default=".",
    show_default=True,
    help="Folder that outputs of the flows must lie in.",
)
@click.option(
    "--limit",
    type=whole(1, 1024),
    default=1,
    show_default=True,
    help="Number of concurrent flow runs.",
)
def serve(port, root, limit):
    """Register the flows as Prefect deployments and run them on request, until Ctrl-C.

    Starts a Prefect server on this machine (database in ~/.prefect), unless PREFECT_API_URL or the Prefect profile
    names a server. The server answers this machine alone, with a password that is made anew at each start: for
    other terminals, and for its page. Flows read any file that you can read. They write in the folder --root.

    \b
        gristmill serve --port 4200 --root .
        export PREFECT_API_URL=... PREFECT_API_AUTH_STRING=...     as printed
        prefect deployment run clean-corpus/local --watch
    """
    from gristmill.flows.orchestration import serve
    from gristmill.flows.orchestration.root import ROOT, root_folder
    from gristmill.flows.orchestration.server import server

    folder = root_folder(root)
    with server(port) as environment:
        os.environ |= environment | {ROOT: str(folder)}
        os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "gristmill")
        from prefect.settings import temporary_settings

        def announce() -> None:
            names = ", ".join(f"{name}/local" for name in serve.DEPLOYED)
            say(f"Serving {names} at {environment['PREFECT_API_URL'].removesuffix('/api')}.")
            if password := environment.get("PREFECT_API_AUTH_STRING"):
                say(f"Its page asks for a password: {password}")
            say(f"Outputs must lie in {folder}. In another terminal:\n", lines=True)
            for name, text in environment.items():
                say(f"    export {name}={text}")
            say("    prefect deployment run clean-corpus/local --watch\n", lines=True)

        with temporary_settings({}):
            serve.serve(limit, announce)
