"""Questions in SQL about a run, each answered by a process of its own that is ended when it takes too much.

A query may name the tables of `gristmill.flows.runs.tables` alone and can write nothing. What it may cost is bounded:
``lpad(id, 1000000000)`` or a cross join ends its process, not the explorer.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.runs.tables import checked, frames
from gristmill.pipelines.errors import RecipeError

PROCESS = Path(__file__).with_name("sql_process.py")
SECONDS, MEMORY = 10, 2 << 30
ROWS, COLUMNS = 500, 60
CHARACTERS = 600  # of a value
LONGEST = 2_000  # characters of a query
THREADS = 4


class Answer(NamedTuple):
    """Result of a query: its first rows."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool  # the result has further rows
    seconds: float


class Questions:
    """SQL over the tables of one run, one query at a time."""

    def __init__(self, index: RunIndex):
        self._index, self._one = index, Lock()

    @cached_property
    def schema(self) -> dict[str, list[str]]:
        """Names of the columns of each table."""
        return {name: frame.collect_schema().names() for name, frame in frames(self._index).items()}

    def ask(self, sql: str) -> Answer:
        """Return the first ROWS rows of a query.

        Raises RecipeError for a statement that is no query, names an unknown table or column, could read another file,
        or takes more than SECONDS or MEMORY.
        """
        if len(sql) > LONGEST:
            raise RecipeError(f"the query has {len(sql):,} characters; expected at most {LONGEST:,}")
        tables = {name: _serialized(frame) for name, frame in frames(self._index).items()}
        limits = {"rows": ROWS, "columns": COLUMNS, "characters": CHARACTERS, "memory": MEMORY, "seconds": SECONDS}
        asked = {"sql": checked(sql), "tables": tables, **limits, "seconds": SECONDS * THREADS}
        with self._one:
            began = time.monotonic()
            found = _answer(json.dumps(asked).encode())
        if "error" in found:
            raise RecipeError(found["error"])
        return Answer(**found, seconds=time.monotonic() - began)


def _serialized(frame) -> str:
    return base64.b64encode(frame.serialize()).decode()


def _answer(asked: bytes) -> dict:
    """Return what the process answers, or an error that names the limit it ran into."""
    environment = {**os.environ, "POLARS_MAX_THREADS": str(THREADS), "RUST_BACKTRACE": "0"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    # -P: modules beside the file do not hide those of the standard library
    with subprocess.Popen([sys.executable, "-P", str(PROCESS)], env=environment, **pipes) as process:
        try:
            told, _ = process.communicate(asked, SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return {"error": f"the query took more than {SECONDS} seconds; add conditions, or ask for less"}
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0:
        return json.loads(told)
    if process.returncode == -signal.SIGXCPU:
        return {"error": f"the query took more than {SECONDS * THREADS} seconds of CPU; ask for less"}
    if process.returncode in (1, -signal.SIGABRT, -signal.SIGKILL):
        return {"error": f"the query needed more than {MEMORY >> 30} GB of memory; ask for less"}
    return {"error": f"the query ended its process (signal {-process.returncode}); ask in another way"}
