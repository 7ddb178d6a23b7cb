"""Deployments of the flows on a Prefect server."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

# flow -> parameters of FLOW/local; prefect.yaml has the same, for servers with their own work pools
DEPLOYED: dict[str, dict[str, Any]] = {
    "clean-corpus": {"recipe": "clean-corpus", "input": ["demo"], "output": "work"},
    "train-tokenizer": {"corpus": ["work"], "output": "work/tokenizers/bpe", "vocab_size": 8000},
    "tokenize-corpus": {"corpus": ["work"], "tokenizer": "work/tokenizers/bpe", "output": "work/tokens/bpe"},
    "pretrain-smoke": {"tokens": "work/tokens/bpe", "output": "work/runs/smoke"},
    "run-recipe": {"recipe": "corpus-to-model", "input": ["demo"], "output": "work"},
    "measure-impact": {"recipe": "impact-small", "input": ["demo"], "output": "impact"},
}


def serve(limit: int, on_ready: Callable[[], None]) -> None:
    """Register the deployments, call ``on_ready``, and execute their runs until Ctrl-C.

    PREFECT_API_URL names the server. Runs execute the flows of this process, whatever code, working folder or commands
    (pull steps) the server names for a deployment.
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
        options: dict[str, Any] = {"entrypoint_type": EntrypointType.MODULE_PATH, "concurrency_limit": one}
        runner.add_flow(FLOWS[name], "local", parameters=parameters, **options)
    on_ready()
    with suppress(KeyboardInterrupt, TerminationSignal):
        asyncio.run(runner.start())
