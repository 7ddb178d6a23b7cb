"""``gristmill serve``: the flows as deployments of a Prefect server, one of our own where none is configured."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from gristmill.pipelines.errors import GristmillError

START_SECONDS = 180  # a server makes its database first: 10-40 s on a busy machine

# flow -> what is deployed as FLOW/local: as in prefect.yaml, which is for servers with work pools of their own
DEPLOYED = {
    "clean-corpus": {"recipe": "clean-corpus", "input": ["demo"], "output": "work"},
    "train-tokenizer": {"corpus": ["work"], "output": "work/tokenizers/bpe", "vocab_size": 8000},
    "tokenize-corpus": {"corpus": ["work"], "tokenizer": "work/tokenizers/bpe", "output": "work/tokens/bpe"},
    "pretrain-smoke": {"tokens": "work/tokens/bpe", "output": "work/runs/smoke"},
    "corpus-to-model": {"recipe": "clean-corpus", "input": ["demo"], "output": "work"},
    "measure-impact": {"recipe": "impact-small", "input": ["demo"], "output": "impact"},
}


@contextmanager
def server(port: int) -> Iterator[str]:
    """The address of the API: as configured, else of a server on this machine, stopped at the end."""
    from prefect.settings import get_current_settings

    if configured := get_current_settings().api.url:
        yield configured
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise GristmillError(
                f"port {port} is taken: name another with --port, or the server to use by PREFECT_API_URL"
            ) from None
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    quiet = os.environ | {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "0",
    }
    process = subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, f"http://127.0.0.1:{port}/api/health")
        yield f"http://127.0.0.1:{port}/api"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen, url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.3)
    raise GristmillError("the Prefect server does not start; `prefect server start` tells why")


def serve(limit: int, ready: Callable[[], None]) -> None:
    """Register the deployments, say ``ready``, and run what is asked of them, until Ctrl-C.

    PREFECT_API_URL names the server.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.exceptions import TerminationSignal
    from prefect.flows import EntrypointType
    from prefect.runner import Runner

    from gristmill.flows.orchestration.flows import FLOWS

    # Two runs of one flow on one work folder would refuse each other: the second waits in the queue.
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    runner = Runner(limit=limit)
    for name, parameters in DEPLOYED.items():
        made = {"entrypoint_type": EntrypointType.MODULE_PATH, "concurrency_limit": one, "parameters": parameters}
        runner.add_deployment(FLOWS[name].to_deployment("local", **made))
    ready()
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
