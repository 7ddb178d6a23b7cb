"""Servers on this machine that answer their own pages alone.

They listen on 127.0.0.1. A page of another site is still able to send requests there, so ``OwnPages`` refuses them.
"""

import hashlib
import secrets
import socket

import uvicorn
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gristmill.pipelines.errors import WorkError

HOST = "127.0.0.1"  # no other: anyone able to connect sees the documents
NAMES = HOST, "localhost"  # in requests, with any port: it differs behind an SSH tunnel
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class OwnPages:
    """Middleware that refuses requests of other sites' pages, and that adds ``policy`` and HEADERS to every response.

    It compares headers that a page cannot choose:

    - Host names this machine. A name of the page's own site that resolves to 127.0.0.1 (DNS rebinding) is refused.
    - Origin, which browsers send with WebSockets, with every POST and with every request across origins, is the
      server's own. The port counts: a page from another port of this machine is another site.
    """

    def __init__(self, app: ASGIApp, policy: str):
        headers = HEADERS | {"Content-Security-Policy": policy}
        self.app, self.headers = app, [(name.lower().encode(), text.encode()) for name, text in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self.headers]
            await send(message)

        app = self.app if scope["type"] == "lifespan" or is_own(Headers(scope=scope)) else REFUSAL
        await app(scope, receive, answer)


REFUSAL = PlainTextResponse("Refused: this server answers its own pages alone, under 127.0.0.1 or localhost.\n", 403)


def is_own(headers: Headers) -> bool:
    """True if a request names this machine, and comes from the server's own page or from no page."""
    host = headers.get("host", "")
    return host.partition(":")[0] in NAMES and headers.get("origin", f"http://{host}") == f"http://{host}"


class Token:
    """Middleware that answers only browsers that have opened the address with the token once.

    Other users of this machine can connect to 127.0.0.1 as well. ``?token=…`` is exchanged for a cookie and leaves the
    address, so that links to pages can be shared and do not contain it.
    """

    def __init__(self, app: ASGIApp, token: str):
        self.app, self.token = app, token
        self.cookie = "gristmill-" + hashlib.sha256(token.encode()).hexdigest()[:8]  # ports share cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.app if scope["type"] == "lifespan" else self._answer(Request(scope)))(scope, receive, send)

    def _answer(self, request: Request) -> ASGIApp:
        if self._fits(request.query_params.get("token")):
            plain = request.url.remove_query_params("token")
            answer: Response = RedirectResponse(f"{plain.path}?{plain.query}" if plain.query else plain.path)
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="lax")
            return answer
        return self.app if self._fits(request.cookies.get(self.cookie)) else UNKNOWN

    def _fits(self, token: str | None) -> bool:
        return token is not None and secrets.compare_digest(token.encode(), self.token.encode())


UNKNOWN = PlainTextResponse("Refused: open the address with its token, as the command printed it.\n", 403)


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1; port 0 takes a free one. Raises WorkError if the port is in use."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # early connections wait until the application is ready
    except OSError as error:
        listening.close()
        raise WorkError(f"cannot listen on {HOST}:{port} ({error.strerror}); --port 0 takes any free port") from None
    return listening


def serve(app: ASGIApp, listening: socket.socket, lifespan: bool = False) -> None:
    """Serve requests until Ctrl-C, which is raised as KeyboardInterrupt.

    ``lifespan``: the application needs to start before the first request, and to stop after the last.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=1,
    )
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
