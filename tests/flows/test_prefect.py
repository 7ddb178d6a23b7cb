"""`gristmill serve` here, `prefect deployment run clean-corpus/local` there: the command's bytes."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from corpora import tree

from flows.deploy import DEPLOYED

REPOSITORY = Path(__file__).resolve().parents[2]
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """`gristmill serve` with a server of its own, its database in a temporary folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")} | {
        "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect")),
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    with serving(environment, port) as told:
        while "prefect deployment run" not in (line := told.readline()):
            assert line, "gristmill serve has ended"
        yield environment | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}


@contextmanager
def serving(environment, port):
    command = [sys.executable, "-u", "-m", "flows.cli", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert not answers(port), "the server outlives `gristmill serve`"


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def prefect(environment, *command):
    done = subprocess.run([PREFECT, *command], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.flow
@pytest.mark.slow
def test_the_deployment_gives_the_same_bytes_as_the_command(environment, tmp_path, corpus, recipe):
    by_command, by_flow = tmp_path / "command", tmp_path / "flow"
    command = [sys.executable, "-m", "flows.cli", "clean", recipe, "--input", corpus, "--output", by_command]
    subprocess.run(command, env=environment, cwd=REPOSITORY, check=True, capture_output=True)
    parameters = {"recipe": str(recipe), "input": [str(corpus)], "output": str(by_flow), "workers": 2}
    pairs = [text for key, value in parameters.items() for text in ("--param", f"{key}={json.dumps(value)}")]
    assert "Completed" in prefect(environment, "deployment", "run", "clean-corpus/local", "--watch", *pairs)
    assert tree(by_flow, "clean", "removed", "ledger") == tree(by_command, "clean", "removed", "ledger")


def test_prefect_yaml_deploys_what_serve_does():
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
    named = {d["entrypoint"].partition(":")[2].replace("_", "-"): d["parameters"] for d in deployments}
    assert named == DEPLOYED
    assert {d["name"] for d in deployments} == {"local"}
