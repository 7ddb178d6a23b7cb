"""Worker: runs `gristmill` commands one after the other, since the start-up would take longer than most of them.

It reads the arguments of a command as a line of JSON and writes its exit code, CPU seconds, peak memory in bytes and
the lines of its error output. The exit code of an exception is -1.
"""

import io
import json
import resource
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from gristmill.flows import cli

RESET_PEAK = "5"  # written to clear_refs (proc(5))


def peak_memory() -> int:
    """Return the peak resident memory since the last reset, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def run(arguments: list[str]) -> dict:
    """Run one command in this process."""
    output = io.StringIO()
    Path("/proc/self/clear_refs").write_text(RESET_PEAK)
    began = _cpu_seconds()
    with redirect_stderr(output), redirect_stdout(io.StringIO()):
        try:
            code = cli.run(arguments)
        except BaseException:
            code = -1
            traceback.print_exc()
    errors = output.getvalue().strip().splitlines()
    return {"code": code, "cpu": _cpu_seconds() - began, "peak": peak_memory(), "errors": errors}


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # extractors of pages
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    results = sys.stdout
    for line in sys.stdin:
        results.write(json.dumps(run(json.loads(line))) + "\n")
        results.flush()
