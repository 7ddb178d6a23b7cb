"""`prefect deployment run clean-corpus/local` against a real local server gives the command's bytes."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from corpora import tree

REPOSITORY = Path(__file__).resolve().parents[2]
PREFECT = Path(sys.executable).with_name("prefect")

pytestmark = [pytest.mark.flow, pytest.mark.slow]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A server of our own, with its database in a temporary folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    with running(environment, "server", "start", "--port", str(port), "--no-ui"):
        wait_for(f"http://127.0.0.1:{port}/api/health")
        prefect(environment, "work-pool", "create", "local", "--type", "process")
        prefect(environment, "--no-prompt", "deploy", "--all")
        with running(environment, "worker", "start", "--pool", "local"):
            yield environment


@contextmanager
def running(environment, *command):
    with subprocess.Popen([PREFECT, *command], env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def prefect(environment, *command):
    done = subprocess.run([PREFECT, *command], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def wait_for(url, seconds=180):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} did not answer in {seconds} s")


def test_the_deployment_gives_the_same_bytes_as_the_command(environment, tmp_path, corpus, recipe):
    by_command, by_flow = tmp_path / "command", tmp_path / "flow"
    command = [sys.executable, "-m", "flows.cli", "clean", recipe, "--input", corpus, "--output", by_command]
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, capture_output=True)
    parameters = {"recipe": str(recipe), "input": [str(corpus)], "output": str(by_flow)}
    pairs = [text for key, value in parameters.items() for text in ("--param", f"{key}={json.dumps(value)}")]
    prefect(environment, "deployment", "run", "clean-corpus/local", "--watch", *pairs)
    assert tree(by_flow, "clean", "removed", "ledger") == tree(by_command, "clean", "removed", "ledger")
