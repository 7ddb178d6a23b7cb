"""Server of the explorer, on this machine until Ctrl-C."""

import socket

import uvicorn
from starlette.applications import Starlette

from gristmill.pipelines.errors import WorkError

HOST = "127.0.0.1"  # no other: anyone able to connect sees the documents


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1; port 0 takes a free one. Raises WorkError if the port is in use."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # early connections wait until the index is read
    except OSError as error:
        listening.close()
        raise WorkError(f"cannot listen on {HOST}:{port} ({error.strerror}); --port 0 takes any free port") from None
    return listening


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serve requests until Ctrl-C, which is raised as KeyboardInterrupt."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
