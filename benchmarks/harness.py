"""Run two commands alternately on the same input and compare them.

Each side is a child process. The kernel's resource usage for the process and its children (wait4) gives CPU seconds,
wall seconds and the peak memory of the largest process. If the last line of a command's output is a JSON object, the
object is the command's own report of the work alone, without start-up and compilation: ``bytes``, ``cpu``, ``wall`` and
its results.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from statistics import median


class BenchmarkError(Exception):
    """A failed command, or a missing peer or input."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A command. ``bytes`` is the size of its text, for commands that do not report it themselves."""

    command: tuple[str, ...]
    bytes: int = 0
    fresh: Path | None = None  # the command's output folder, removed before each run


@dataclass(frozen=True, kw_only=True)
class Row:
    """A comparison with a peer; without a peer, a measurement of gristmill alone."""

    name: str
    ours: Side
    peer: Side | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """Resources and report of one run of a command."""

    cpu: float  # seconds of user and system time, of the process and its children
    wall: float
    peak: int  # bytes, of the largest process
    said: dict = field(default_factory=dict)  # the command's own report


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Medians over the runs of one side. If the command reports its own time, the rates use it."""

    bytes: int
    cpu: float
    wall: float
    peak: int
    rate: float  # bytes per CPU second
    pace: float  # bytes per wall second
    said: dict

    @classmethod
    def of(cls, side: Side, runs: list[Run]) -> "Figures":
        said, size = runs[-1].said, runs[-1].said.get("bytes", side.bytes)
        cpu, wall, peak = (median(getattr(run, name) for run in runs) for name in ("cpu", "wall", "peak"))
        rate, pace = (size / median(run.said.get(name, getattr(run, name)) for run in runs) for name in ("cpu", "wall"))
        return cls(bytes=size, cpu=cpu, wall=wall, peak=int(peak), rate=rate, pace=pace, said=said)


def run(side: Side) -> Run:
    """Run a command to its end. Raise BenchmarkError with the last line of its error output if it fails."""
    if side.fresh:
        shutil.rmtree(side.fresh, ignore_errors=True)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        try:
            child = subprocess.Popen(side.command, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise BenchmarkError(f"cannot run {side.command[0]}: {error.strerror}") from error
        # A child's peak starts at its parent's memory at the child's start, so this process must stay small.
        _, status, usage = os.wait4(child.pid, 0)
        wall, child.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise BenchmarkError(f"{' '.join(side.command)} ended with {child.returncode}: {lines[-1]}")
        output.seek(0)
        said = _report(output.read().decode(errors="replace"))
    return Run(cpu=usage.ru_utime + usage.ru_stime, wall=wall, peak=usage.ru_maxrss << 10, said=said)


def _report(output: str) -> dict:
    last = output.strip().rpartition("\n")[2]
    try:
        said = json.loads(last)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def compare(row: Row, rounds: int) -> tuple[Figures, Figures | None]:
    """Run both sides alternately, so that other load on the machine slows both; return the medians of each."""
    ours, peer = [], []
    for _ in range(rounds):
        ours.append(run(row.ours))
        if row.peer:
            peer.append(run(row.peer))
    return Figures.of(row.ours, ours), Figures.of(row.peer, peer) if row.peer else None


HEAD = ("", "MB", "MB per CPU s", "peer", "times", "MB per s", "peer", "times", "peak MB", "peer")


def table(results: dict[str, tuple[Figures, Figures | None]]) -> str:
    """Return a Markdown table of MB (10^6 bytes of text) per second and core, ratios to the peer, and peak memory.

    Rates cover the work alone if the side reports its own time, otherwise the whole command. Memory is always the
    whole command's.
    """
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1))]
    for name, (ours, peer) in results.items():
        cells = [name, f"{ours.bytes / 1e6:.1f}"]
        for rate in (attrgetter("rate"), attrgetter("pace")):
            cells += [_rate(rate(ours)), _rate(rate(peer)) if peer else "", _times(rate(ours), peer and rate(peer))]
        cells += [f"{ours.peak / 1e6:,.0f}", f"{peer.peak / 1e6:,.0f}" if peer else ""]
        lines.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rate(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e6:.3g}"


def _times(ours: float, peer: float | None) -> str:
    return f"{ours / peer:,.3g}" if peer else ""
