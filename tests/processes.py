"""Other programs that a test needs running, stopped at its end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(*command, **env):
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | env
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*map(str, command)], env=env, start_new_session=True, **quiet) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(port, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


@contextmanager
def dask_cluster(width):
    """A scheduler and so many workers as processes of their own: its address, and the workers."""
    port, dask = free_port(), [sys.executable, "-m", "dask"]
    address = f"tcp://127.0.0.1:{port}"
    with ExitStack() as cluster:
        cluster.enter_context(started(*dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"))
        wait_for(port)
        worker = [*dask, "worker", address, "--nthreads", 1, "--no-nanny", "--no-dashboard"]
        yield address, [cluster.enter_context(started(*worker)) for _ in range(width)]


@contextmanager
def serving(folder, command="gristmill serve --port 4200"):
    """Start `gristmill serve` in a folder, with its own database and a free port; yield its clients' environment."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    own |= {"PREFECT_HOME": str(folder / "prefect"), "DO_NOT_TRACK": "1", "PYTHONPATH": str(REPOSITORY)}
    own["PREFECT_RUNNER_POLL_FREQUENCY"] = "1"  # seconds until a run starts or is cancelled; Prefect's default is 10
    port = free_port()
    words = [sys.executable, "-u", "-m", *command.replace("4200", str(port)).split()]
    with subprocess.Popen(words, env=own, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = ""
            while "prefect deployment run" not in told:
                line = process.stdout.readline()
                assert line, "gristmill serve has ended"
                told += line
            yield own | dict(re.findall(r"export (\w+)=(.*)", told))
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)), "the server outlives `gristmill serve`"
