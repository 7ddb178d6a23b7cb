"""Run two commands on the same input in turns, and say how they compare.

Each side is a child process, measured from outside by the kernel's account of it and all its children (CPU seconds,
wall seconds, the peak memory of the largest). Where the last line it prints is a JSON object, that is its own account
of the work alone, without start-up and compiling: ``bytes``, ``cpu``, ``wall`` and whatever it found.
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
    """A command failed, or something it needs is not there."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One command. ``bytes`` of text it handles, unless it says so itself."""

    command: tuple[str, ...]
    bytes: int = 0
    fresh: Path | None = None  # a folder it writes, removed before each run


@dataclass(frozen=True, kw_only=True)
class Row:
    """A comparison; without a peer, a figure of ours alone."""

    name: str
    ours: Side
    peer: Side | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of a command took."""

    cpu: float  # seconds, user and system, of the process and its children
    wall: float
    peak: int  # bytes, of the largest process
    said: dict = field(default_factory=dict)  # its own account


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Medians over the runs of one side. Rates are of the work alone where the command told its time."""

    bytes: int
    cpu: float
    wall: float
    peak: int
    rate: float  # bytes per CPU second
    pace: float  # bytes per second by the clock
    said: dict

    @classmethod
    def of(cls, side: Side, runs: list[Run]) -> "Figures":
        said, size = runs[-1].said, runs[-1].said.get("bytes", side.bytes)
        cpu, wall, peak = (median(getattr(run, name) for run in runs) for name in ("cpu", "wall", "peak"))
        rate, pace = (size / median(run.said.get(name, getattr(run, name)) for run in runs) for name in ("cpu", "wall"))
        return cls(bytes=size, cpu=cpu, wall=wall, peak=int(peak), rate=rate, pace=pace, said=said)


def run(side: Side) -> Run:
    """Run a command to its end. Raises BenchmarkError, with the end of what it said, where it fails."""
    if side.fresh:
        shutil.rmtree(side.fresh, ignore_errors=True)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        try:
            child = subprocess.Popen(side.command, stdout=output, stderr=errors, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise BenchmarkError(f"cannot run {side.command[0]}: {error.strerror}") from error
        # A child's peak begins at its parent's memory when it was started: this process must stay small.
        _, status, usage = os.wait4(child.pid, 0)
        wall, child.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        if child.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise BenchmarkError(f"{' '.join(side.command)} ended with {child.returncode}: {lines[-1]}")
        output.seek(0)
        said = _account(output.read().decode(errors="replace"))
    return Run(cpu=usage.ru_utime + usage.ru_stime, wall=wall, peak=usage.ru_maxrss << 10, said=said)


def _account(output: str) -> dict:
    last = output.strip().rpartition("\n")[2]
    try:
        said = json.loads(last)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def compare(row: Row, rounds: int) -> tuple[Figures, Figures | None]:
    """Both sides in turns, so that what else the machine does falls on both; the medians of each."""
    ours, peer = [], []
    for _ in range(rounds):
        ours.append(run(row.ours))
        if row.peer:
            peer.append(run(row.peer))
    return Figures.of(row.ours, ours), Figures.of(row.peer, peer) if row.peer else None


HEAD = ("", "MB", "MB per CPU s", "peer", "times", "MB per s", "peer", "times", "peak MB", "peer")


def table(results: dict[str, tuple[Figures, Figures | None]]) -> str:
    """A Markdown table of MB (10^6 bytes of text) per second and core, how many times the peer's, and peak memory.

    Rates are of the work alone where a side tells it, else of the whole command; memory is of the whole command.
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
