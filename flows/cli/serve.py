"""gristmill serve"""

import os

import click


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Of the local server.")
@click.option("--limit", type=click.IntRange(1), default=1, show_default=True, help="Flow runs at a time.")
def serve(port, limit):
    """Offer the flows to Prefect as deployments, until Ctrl-C.

    Starts a Prefect server on this machine, with its database in ~/.prefect, unless PREFECT_API_URL or the Prefect
    profile names one.

    \b
        gristmill serve --port 4200
        prefect deployment run clean-corpus/local --watch
    """
    from gristmill.flows.orchestration import serve

    with serve.server(port) as url:
        os.environ["PREFECT_API_URL"] = url
        os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "gristmill")
        from prefect.settings import temporary_settings

        def say() -> None:
            names = ", ".join(f"{name}/local" for name in serve.DEPLOYED)
            click.echo(f"Serving {names} at {url.removesuffix('/api')}. In another terminal:\n")
            click.echo(f"    export PREFECT_API_URL={url}")
            click.echo("    prefect deployment run clean-corpus/local --watch\n")

        with temporary_settings({}):
            serve.serve(limit, say)
