"""Serve a run on this machine until Ctrl-C."""

import socket

import uvicorn
from starlette.applications import Starlette

from gristmill.pipelines.errors import WorkError

HOST = "127.0.0.1"  # and no other: documents are shown to whoever asks


def listen(port: int) -> socket.socket:
    """A socket of this machine alone; port 0 takes any that is free. Raises WorkError where it is taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # who comes before the index is read waits for it
    except OSError as error:
        listening.close()
        raise WorkError(f"cannot listen on {HOST}:{port} ({error.strerror}); --port 0 takes any free port") from None
    return listening


def serve(app: Starlette, listening: socket.socket) -> None:
    """Answer until Ctrl-C, which is passed on as KeyboardInterrupt."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
