"""`gristmill serve`, started once for the tests of a file, and a client of its server."""

from base64 import b64encode

import httpx
import pytest
from processes import serving


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Yield the environment of the server's clients; its flows write below the temporary folder of all tests."""
    folder = tmp_path_factory.mktemp("serve")
    with serving(folder, f"gristmill serve --port 4200 --root {tmp_path_factory.getbasetemp()}") as printed:
        yield printed


@pytest.fixture(scope="module")
def api(environment):
    """Yield a client of the server that knows the password, as the user does."""
    headers = {"Authorization": f"Basic {b64encode(environment['PREFECT_API_AUTH_STRING'].encode()).decode()}"}
    with httpx.Client(base_url=environment["PREFECT_API_URL"], headers=headers, timeout=60) as client:
        token = client.get("/csrf-token", params={"client": "test"}).json()["token"]
        client.headers.update({"Prefect-Csrf-Client": "test", "Prefect-Csrf-Token": token})
        yield client
