"""A Prefect server for this machine's user alone.

Prefect's own defaults accept any page of any site: it may change a deployment's pull steps, which are shell commands,
and start a run. This server answers its own pages alone (``OwnPages``), asks every request for a password that is made
anew at each start, and every change for a CSRF token.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from gristmill.flows.loopback import HOST, OwnPages, listen, serve
from gristmill.pipelines.errors import GristmillError

START_SECONDS = 180  # a new server creates its database first: 10-40 s on a busy machine
SETTINGS = {
    "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",  # to `prefect deployment run … --watch`
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
    "PREFECT_SERVER_UI_API_URL": "/api",  # relative: the page's own host and port, also behind an SSH tunnel
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
# Prefect's page runs its own scripts alone, and tells no other host that it is open.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)


def new_password() -> str:
    """Return a password for the server, in the form ``user:password`` of Prefect's settings."""
    return f"gristmill:{secrets.token_urlsafe(18)}"


@contextmanager
def server(port: int, password: str | None = None) -> Iterator[dict[str, str]]:
    """Yield the environment for clients of a server: the configured one, or one started here and stopped at the end.

    ``password`` defaults to a new one.
    """
    from prefect.settings import get_current_settings

    if configured := get_current_settings().api.url:
        yield {"PREFECT_API_URL": configured}
        return
    password = password or new_password()
    with listen(port) as listening, tempfile.TemporaryFile("w+") as errors:
        address, number = f"http://{HOST}:{listening.getsockname()[1]}", listening.fileno()
        own = {
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": address,
        }
        command = [sys.executable, "-m", __name__, str(number)]
        quiet: dict = {"stdout": subprocess.DEVNULL, "stderr": errors}
        process = subprocess.Popen(command, env=os.environ | SETTINGS | own, pass_fds=[number], **quiet)
        try:
            _wait(process, f"{address}/api/health", errors)
            yield {"PREFECT_API_URL": f"{address}/api", "PREFECT_API_AUTH_STRING": password}
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen, url: str, errors: TextIO) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.3)
    errors.seek(0)
    *_, last = ["it is not ready", *filter(str.strip, errors)]
    raise GristmillError(f"the Prefect server did not start: {last.strip()}")


def main(number: int) -> None:
    """Run the server on a listening socket, given by the number of its file descriptor, until SIGINT."""
    from prefect.server.api.server import create_app

    with suppress(KeyboardInterrupt):
        serve(OwnPages(create_app(final=True), POLICY), socket.socket(fileno=number), lifespan=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
