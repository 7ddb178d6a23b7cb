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
from pathlib import Path
from statistics import median

# Outputs of earlier runs stay until the last: for half a minute after files are removed, ext4 looks at each of them
# before it makes another (LOG.md).
OLD = ".old-"


class BenchmarkError(Exception):
    """A failed command, or a missing peer or input."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """A command. ``bytes`` is the size of its text, for commands that do not report it themselves."""

    command: tuple[str, ...]
    bytes: int = 0
    fresh: Path | None = None  # the command's output folder, out of the way before each run


@dataclass(frozen=True, kw_only=True)
class Row:
    """A job of gristmill and of its peers, by name and version; without peers, a measurement of gristmill alone."""

    name: str
    ours: Side
    peers: dict[str, Side] = field(default_factory=dict)
    kernel: bool = False  # timed without start-up, by both sides


@dataclass(frozen=True, kw_only=True)
class Run:
    """Resources and report of one run of a command."""

    cpu: float  # seconds of user and system time, of the process and its children
    wall: float
    peak: int  # bytes, of the largest process
    said: dict = field(default_factory=dict)  # the command's own report


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Medians over the runs of one side; seconds are those of the work alone if the command reports them."""

    bytes: int
    cpu: float  # seconds
    wall: float
    peak: int  # bytes
    said: dict

    @classmethod
    def of(cls, side: Side, runs: list[Run]) -> "Figures":
        said = runs[-1].said
        cpu, wall = (median(run.said.get(name, getattr(run, name)) for run in runs) for name in ("cpu", "wall"))
        peak = int(median(run.peak for run in runs))
        return cls(bytes=said.get("bytes", side.bytes), cpu=cpu, wall=wall, peak=peak, said=said)

    def times(self, peer: "Figures", clock: str) -> float:
        """Return how many times as long the peer takes for a byte, by the clock "cpu" or "wall"."""
        return (getattr(peer, clock) / peer.bytes) / (getattr(self, clock) / self.bytes)


def run(side: Side) -> Run:
    """Run a command to its end. Raise BenchmarkError with the last line of its error output if it fails."""
    if side.fresh and side.fresh.exists():
        side.fresh.rename(tempfile.mkdtemp(prefix=f"{side.fresh.name}{OLD}", dir=side.fresh.parent))
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


def remove_old(folder: Path) -> None:
    """Remove the outputs of earlier runs from a folder."""
    for old in folder.glob(f"*{OLD}*"):
        shutil.rmtree(old)


def _report(output: str) -> dict:
    last = output.strip().rpartition("\n")[2]
    try:
        said = json.loads(last)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def compare(row: Row, rounds: int) -> tuple[Figures, dict[str, Figures]]:
    """Run all sides in turns, so that other load on the machine slows all; return the medians of each."""
    sides = {"": row.ours, **row.peers}
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            runs[name].append(run(side))
    ours, *peers = (Figures.of(sides[name], taken) for name, taken in runs.items())
    return ours, dict(zip(row.peers, peers, strict=True))


HEAD = ("", "peer", "MB", "CPU s", "peer MB", "peer CPU s", "times", "times, wall", "peak MB", "peer")


def table(results: dict[str, tuple[Figures, dict[str, Figures]]]) -> str:
    """Return a Markdown table, a line a peer: MB are 10^6 bytes of text, times are by the byte."""
    lines = [HEAD, ("---", "---", *["---:"] * (len(HEAD) - 2))]
    for name, (ours, peers) in results.items():
        own = (f"{ours.bytes / 1e6:.1f}", f"{ours.cpu:.3g}")
        if not peers:
            lines.append((name, "", *own, "", "", "", "", f"{ours.peak / 1e6:,.0f}", ""))
        for number, (peer, theirs) in enumerate(peers.items()):
            times = [_times(ours.times(theirs, clock)) for clock in ("cpu", "wall")]
            peaks = (f"{ours.peak / 1e6:,.0f}", f"{theirs.peak / 1e6:,.0f}")
            given = (f"{theirs.bytes / 1e6:.1f}", f"{theirs.cpu:.3g}")
            lines.append(("" if number else name, peer, *own, *given, *times, *peaks))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _times(ratio: float) -> str:
    """Return a ratio for a table; one that is lost is in bold."""
    return f"**{digits(ratio)}**" if ratio < 1 else digits(ratio)


def digits(ratio: float) -> str:
    """Return a ratio in two or three digits."""
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"
