"""What listens on this machine answers its own page, and no page of another site."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from gristmill.flows.loopback import OwnPages, Token, listen
from gristmill.pipelines.errors import WorkError


@pytest.fixture(scope="module")
def client():
    async def page(request):
        return PlainTextResponse("secret")

    async def socket(websocket):
        await websocket.accept()
        await websocket.send_text("secret")
        await websocket.close()

    verbs = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app = Starlette(routes=[Route("/", page, methods=verbs), WebSocketRoute("/socket", socket)])
    return TestClient(OwnPages(app, "default-src 'none'"))


OWN = [
    {"host": "127.0.0.1:4200"},
    {"host": "localhost:4200"},
    {"host": "localhost"},
    {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200"},
    {"host": "localhost:9000", "origin": "http://localhost:9000"},  # through an SSH tunnel
]
FOREIGN = [
    {"host": "evil.example:4200"},  # a name that resolves to 127.0.0.1
    {"host": "127.0.0.1.evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
    {"host": "[::1]:4200"},
    {"host": ""},
    {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4201"},
    {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1"},
    {"host": "127.0.0.1:4200", "origin": "https://127.0.0.1:4200"},
    {"host": "127.0.0.1:4200", "origin": "http://localhost:4200"},
    {"host": "127.0.0.1:4200", "origin": "http://127.0.0.1:4200.evil.example"},
    {"host": "127.0.0.1:4200", "origin": "http://evil.example"},
    {"host": "127.0.0.1:4200", "origin": "null"},  # a sandboxed frame, a file
    {"host": "127.0.0.1:4200", "origin": ""},
]


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_own_requests_are_answered(client, headers):
    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert client.request(verb, "/", headers=headers).status_code == 200
    with client.websocket_connect("/socket", headers=headers) as socket:
        assert socket.receive_text() == "secret"


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_foreign_requests_are_refused(client, headers):
    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        refusal = client.request(verb, "/", headers=headers)
        assert refusal.status_code == 403 and "secret" not in refusal.text
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/socket", headers=headers):
        pass


@pytest.mark.parametrize("headers", [OWN[0], FOREIGN[0]], ids=str)
def test_no_site_may_frame_or_read_an_answer(client, headers):
    answer = client.get("/", headers=headers)
    assert answer.headers["content-security-policy"] == "default-src 'none'"
    assert (
        answer.headers["cross-origin-resource-policy"] == answer.headers["cross-origin-opener-policy"] == "same-origin"
    )


def test_a_port_in_use_is_told():
    with listen(0) as listening, pytest.raises(WorkError, match=r"cannot listen on 127\.0\.0\.1:\d+ .* --port 0"):
        listen(listening.getsockname()[1])


def test_a_browser_needs_the_token_once():
    async def page(request):
        return PlainTextResponse(f"secret {request.url.query}")

    def browser():
        return TestClient(Token(Starlette(routes=[Route("/a", page)]), "right"), base_url="http://127.0.0.1")

    for asked in ("/a", "/a?token=wrong", "/a?token=", "/a?token=\u00e9"):
        assert browser().get(asked).status_code == 403
    knows = browser()
    answer = knows.get("/a?x=1&token=right")
    assert answer.text == "secret x=1" and "token" not in str(answer.url)
    assert knows.get("/a?x=2").text == "secret x=2"
    (name,) = knows.cookies
    assert browser().get("/a", headers={"cookie": f"{name}=right"}).status_code == 200
    assert browser().get("/a", headers={"cookie": f"{name}=wrong"}).status_code == 403
