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
from typing import NamedTuple

import orjson

from benchmarks.harness import BenchmarkError

TICKS = os.sysconf("SC_CLK_TCK")
PAUSE, DISK_PAUSE = 0.25, 10.0  # seconds between samples


class Sample(NamedTuple):
    """Resources of a process and all below it since they started, also of their children that ended."""

    cpu: float = 0.0  # seconds
    read: int = 0  # bytes, by system calls: also from the system's cache
    written: int = 0
    memory: int = 0  # bytes now

    def plus(self, other: "Sample") -> "Sample":
        return Sample(*map(sum, zip(self, other, strict=True)))


@dataclass
class Usage:
    """Resources of a run.

    Memory is the proportional set size of all processes together: pages that processes share count once. Samples are
    PAUSE apart, and a step ends at the first sample that finds it in the log.
    """

    cpu: float = 0.0  # seconds, of all processes
    wall: float = 0.0
    peak: int = 0  # bytes of memory
    disk: int = 0  # bytes of the work folder, at its largest
    spill: int = 0  # bytes of the steps' scratch folders, at their largest
    steps: dict[str, dict[str, float]] = field(default_factory=dict)  # title -> cpu, wall, peak, read, written
    killed: bool = False


def watch(command: list[str], work: Path, kill: Callable[[], bool] = lambda: False) -> Usage:
    """Run a command that logs to ``work/log.jsonl``; kill all its processes as soon as ``kill()`` is true.

    Raises BenchmarkError with the end of its error output if it fails.
    """
    usage, log, began = Usage(), work / "log.jsonl", time.perf_counter()
    told, now, before, peak = len(_titles(log)), Sample(), Sample(), 0
    step_began, next_disk = began, began + DISK_PAUSE
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        while True:
            sample = sample_of(child.pid)
            ended, status, used = os.wait4(child.pid, os.WNOHANG)
            clock = time.perf_counter()
            cpu = used.ru_utime + used.ru_stime if ended else sample.cpu
            cpu, read, written = map(max, zip(now[:3], (cpu, *sample[1:3]), strict=True))
            now = Sample(cpu, int(read), int(written), sample.memory)
            peak = max(peak, now.memory)
            usage.peak = max(usage.peak, peak)
            usage.spill = max(usage.spill, sum(map(disk_of, work.glob("steps/*/scratch"))))
            for title in _titles(log)[told:]:
                spent = {key: getattr(now, key) - getattr(before, key) for key in ("cpu", "read", "written")}
                usage.steps[title] = {**spent, "wall": clock - step_began, "peak": peak}
                told, peak, before, step_began = told + 1, now.memory, now, clock
            if ended:
                break
            if clock > next_disk:
                usage.disk, next_disk = max(usage.disk, disk_of(work)), clock + DISK_PAUSE
            if not usage.killed and kill():
                usage.killed = True
                os.killpg(child.pid, signal.SIGKILL)
            time.sleep(PAUSE)
        child.returncode = os.waitstatus_to_exitcode(status)
        usage.cpu, usage.wall = now.cpu, time.perf_counter() - began
        usage.disk = max(usage.disk, disk_of(work))
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


def sample_of(pid: int) -> Sample:
    """Return what a process and all below it have used; nothing if it has ended."""
    whole = Sample()
    with suppress(OSError, IndexError):  # it has ended
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        io = Path(f"/proc/{pid}/io").read_text().split()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        memory = int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0]) << 10
        whole = Sample(sum(map(int, fields[11:15])) / TICKS, int(io[1]), int(io[3]), memory)
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                for child in children.read_text().split():
                    whole = whole.plus(sample_of(int(child)))
    return whole
