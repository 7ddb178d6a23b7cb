"""Deployments of the flows on a Prefect server, which is started here if none is configured."""

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
from typing import Any, cast

from gristmill.pipelines.errors import GristmillError

START_SECONDS = 180  # a new server creates its database first: 10-40 s on a busy machine

# flow -> parameters of FLOW/local; prefect.yaml has the same, for servers with their own work pools
DEPLOYED: dict[str, dict[str, Any]] = {
    "clean-corpus": {"recipe": "clean-corpus", "input": ["demo"], "output": "work"},
    "train-tokenizer": {"corpus": ["work"], "output": "work/tokenizers/bpe", "vocab_size": 8000},
    "tokenize-corpus": {"corpus": ["work"], "tokenizer": "work/tokenizers/bpe", "output": "work/tokens/bpe"},
    "pretrain-smoke": {"tokens": "work/tokens/bpe", "output": "work/runs/smoke"},
    "corpus-to-model": {"recipe": "clean-corpus", "input": ["demo"], "output": "work"},
    "measure-impact": {"recipe": "impact-small", "input": ["demo"], "output": "impact"},
}


@contextmanager
def server(port: int) -> Iterator[str]:
    """Yield the address of the configured API, or of a server started on this machine and stopped at the end."""
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
                f"port {port} is in use; name another by --port, or a running server by PREFECT_API_URL"
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
    raise GristmillError("the Prefect server did not start; `prefect server start` prints the reason")


def serve(limit: int, on_ready: Callable[[], None]) -> None:
    """Register the deployments, call ``on_ready``, and execute their runs until Ctrl-C.

    PREFECT_API_URL names the server.
    """
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.exceptions import TerminationSignal
    from prefect.flows import EntrypointType
    from prefect.runner import Runner

    from gristmill.flows.orchestration.flows import FLOWS

    # A work folder allows one run at a time: a second run of a flow waits in the queue.
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    runner = Runner(limit=limit)
    for name, parameters in DEPLOYED.items():
        deployment = FLOWS[name].to_deployment(
            "local", parameters=parameters, entrypoint_type=EntrypointType.MODULE_PATH, concurrency_limit=one
        )
        runner.add_deployment(cast(Any, deployment))  # typed as a coroutine too, which it is only inside one
    on_ready()
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
