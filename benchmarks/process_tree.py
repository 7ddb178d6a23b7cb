"""Watch of a run and all processes below it: CPU seconds, memory and disk, of the whole and of each step in its log."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from benchmarks.harness import BenchmarkError

TICKS = os.sysconf("SC_CLK_TCK")
PAUSE, DISK_PAUSE = 0.25, 10.0  # seconds between samples


@dataclass
class Usage:
    """Resources of a run.

    Memory is the proportional set size of all processes together: pages that processes share count once. Samples are
    PAUSE apart, and a step ends at the first sample that finds it in the log.
    """

    cpu: float = 0.0  # seconds, of all processes
    wall: float = 0.0
    peak: int = 0  # bytes
    disk: int = 0  # bytes of the work folder, at its largest
    steps: dict[str, dict[str, float]] = field(default_factory=dict)  # title -> cpu, wall, peak
    killed: bool = False


def watch(command: list[str], work: Path, kill: Callable[[], bool] = lambda: False) -> Usage:
    """Run a command that logs to ``work/log.jsonl``; kill all its processes as soon as ``kill()`` is true.

    Raises BenchmarkError with the end of its error output if it fails.
    """
    usage, log, began = Usage(), work / "log.jsonl", time.perf_counter()
    told, peak = len(_titles(log)), 0
    cpu_before, step_began, next_disk = 0.0, began, began + DISK_PAUSE
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        while True:
            cpu, memory = resources(child.pid)
            ended, status, used = os.wait4(child.pid, os.WNOHANG)
            now = time.perf_counter()
            usage.cpu, peak = max(usage.cpu, used.ru_utime + used.ru_stime if ended else cpu), max(peak, memory)
            usage.peak = max(usage.peak, peak)
            for title in _titles(log)[told:]:
                step = {"cpu": usage.cpu - cpu_before, "wall": now - step_began, "peak": peak}
                usage.steps[title] = step
                told, peak, cpu_before, step_began = told + 1, memory, usage.cpu, now
            if ended:
                break
            if now > next_disk:
                usage.disk, next_disk = max(usage.disk, disk_of(work)), now + DISK_PAUSE
            if not usage.killed and kill():
                usage.killed = True
                os.killpg(child.pid, signal.SIGKILL)
            time.sleep(PAUSE)
        child.returncode = os.waitstatus_to_exitcode(status)
        usage.wall, usage.disk = time.perf_counter() - began, max(usage.disk, disk_of(work))
        if child.returncode and not usage.killed:
            errors.seek(0)
            raise BenchmarkError(f"{' '.join(command)}: {errors.read().decode(errors='replace')[-1000:]}")
    return usage


def disk_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; files that disappear meanwhile are left out."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _titles(log: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [orjson.loads(line)["step"] for line in log.read_bytes().split(b"\n")[:-1]]
    return []


def resources(pid: int) -> tuple[float, int]:
    """Return CPU seconds and memory of a process and all below it; those of ended children are in their parent's."""
    cpu, memory = 0.0, 0
    with suppress(OSError, IndexError):  # it has ended
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu = sum(map(int, fields[11:15])) / TICKS
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0]) << 10
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                below = [resources(int(child)) for child in children.read_text().split()]
                cpu += sum(used for used, _ in below)
                memory += sum(used for _, used in below)
    return cpu, memory
