"""The server of `gristmill serve` answers its user, no other site's page and no program without the password."""

import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from gristmill.flows.orchestration.serve import DEPLOYED
from gristmill.flows.orchestration.server import new_password, server
from gristmill.pipelines.errors import WorkError

ATTACK = Path(__file__).with_name("attack.js").read_text("utf-8")
pytestmark = [pytest.mark.flow, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(environment):
    return environment["PREFECT_API_URL"].removesuffix("/api")


@pytest.fixture(scope="module")
def deployment(api):
    return api.get("/deployments/name/clean-corpus/local").raise_for_status().json()["id"]


@contextmanager
def site():
    """Another site on this machine: the address of its only page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<body>A page that nobody suspects.")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as started:
        thread = threading.Thread(target=started.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{started.server_port}/"
        started.shutdown()
        thread.join()


def everything(api):
    """All that a page could have changed, without what the runner changes when it asks for runs."""
    kinds = "deployments", "flow_runs", "flows", "variables", "automations", "block_documents", "work_pools"
    found = {kind: api.post(f"/{kind}/filter", json={}).raise_for_status().json() for kind in kinds}
    polled = {"status", "last_polled"}
    return found | {"deployments": [{k: v for k, v in row.items() if k not in polled} for row in found["deployments"]]}


def test_a_page_of_another_site_gets_nowhere(browser, address, api, deployment, tmp_path):
    before = everything(api)
    with site() as evil:
        page = browser.new_page()
        page.goto(evil)
        told = {"target": address, "deployment": deployment, "marker": str(tmp_path / "pwned"), "auth": "a:guess"}
        rows = page.evaluate(ATTACK, told)
        page.close()
    assert len(rows) > 60
    assert {what for name, what in rows if not name.startswith(("beacon", "form"))} == {
        "refused: Failed to fetch",  # no answer says that this origin may read it, or even include it
        "refused: closed 1006",  # a WebSocket that never opened
    }
    assert {what for name, what in rows if name.startswith(("beacon", "form"))} == {"sent"}
    assert everything(api) == before
    assert not before["flow_runs"] and not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "", "[::1]:{port}"])
def test_a_name_that_resolves_to_this_machine_is_refused(environment, api, deployment, host):
    """DNS rebinding: the page's own name, now of 127.0.0.1. Even the password does not help."""
    port, headers = api.base_url.port, dict(api.headers)
    headers |= {"host": host.format(port=port), "content-type": "application/json", "content-length": "2"}
    lines = [f"{name}: {text}" for name, text in (headers | {"connection": "close"}).items()]
    before = everything(api)
    for start in (f"POST /api/deployments/{deployment}/create_flow_run", "POST /api/deployments/filter", "GET /"):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall("\r\n".join([f"{start} HTTP/1.1", *lines, "", "{}"]).encode())
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.startswith((b"HTTP/1.1 403 ", b"HTTP/1.1 400 ")) and b"clean-corpus" not in answer
    assert everything(api) == before


def test_a_program_needs_the_password_and_a_token(environment, api, deployment):
    url = environment["PREFECT_API_URL"]
    known = {"Authorization": api.headers["Authorization"]}
    token = {name: api.headers[name] for name in ("Prefect-Csrf-Client", "Prefect-Csrf-Token")}
    for auth in (None, ("gristmill", ""), ("gristmill", "guess"), ("", token["Prefect-Csrf-Token"])):
        assert httpx.get(f"{url}/deployments/{deployment}", auth=auth).status_code == 401
        assert httpx.post(f"{url}/deployments/filter", json={}, auth=auth, headers=token).status_code == 401
    assert httpx.post(f"{url}/deployments/filter", json={}, headers=known).status_code == 403
    assert len(httpx.post(f"{url}/deployments/filter", json={}, headers=known | token).json()) == len(DEPLOYED)


def test_its_page_works_on_any_port(browser, environment, address):
    """The address is not Prefect's usual one. The page is asked by the name that is printed, and by the other."""
    for name in (address, address.replace("127.0.0.1", "localhost")):
        page, asked = browser.new_page(), []
        page.on("response", lambda response, asked=asked: asked.append(response.url))
        page.goto(f"{name}/deployments")
        page.fill("input[type=password]", environment["PREFECT_API_AUTH_STRING"])
        assert "clean-corpus" not in page.inner_text("body")
        page.keyboard.press("Enter")
        for flow in DEPLOYED:
            page.get_by_text(flow, exact=True).first.wait_for()
        page.close()
        assert {url.split("/")[2] for url in asked if url.startswith("http")} == {name.removeprefix("http://")}


def test_the_password_is_new_at_each_start_and_not_shown_to_other_users(environment, api):
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100 and all(re.fullmatch(r"gristmill:[\w-]{24}", password) for password in passwords)
    secret = environment["PREFECT_API_AUTH_STRING"].partition(":")[2].encode()
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert commands and not [command for command in commands if secret in command]


def test_a_port_in_use_is_told(monkeypatch, api):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(WorkError, match="cannot listen"), server(api.base_url.port):
        pass


def test_a_configured_server_is_used_as_it_is():
    with temporary_settings({PREFECT_API_URL: "http://prefect.example/api"}), server(4200) as environment:
        assert environment == {"PREFECT_API_URL": "http://prefect.example/api"}
