"""Fuzz the loaders: a damaged file loads or is refused in one clear line, and never harms the process.

Run ``python -m tools.fuzz [LOADER …] [--count 5000] [--seed 0] [--checked] [--only NUMBER]``. Each loader's small valid
files are written by the product (fuzz_targets/) and damaged (fuzz_mutations.py): every number of a file aimed at in
turn, then random mutants. A worker process opens and *uses* each of them: encodes, scores, decodes, iterates. Outcomes:

loaded     the file is still valid, if changed
refused    a GristmillError of one line that names the file
unclear    a GristmillError that does not
memory     MemoryError, or an allocation above the worker's limit
hang       over 10 CPU seconds
signal     the process died
traceback  any other exception

``--checked`` compiles all kernels with bounds checks, into a cache of their own (minutes the first time): an index
outside an array is a traceback even where it does no harm. Exit status 1 for any but the first two outcomes.
"""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import click

from tools.fuzz_mutations import aimed, mutate

GOOD, BAD = ("loaded", "refused"), ("unclear", "memory", "hang", "signal", "traceback")
CPU_SECONDS, WALL_SECONDS = 10, 120  # per file; on a busy machine CPU time is what counts
ROOM = 1 << 30  # bytes of address space that a file may take
LINE = 1000  # characters of a clear error


class Outcome(NamedTuple):
    """Outcome of one file, its reason, and the damage of the file."""

    kind: str
    reason: str = ""
    damage: str = ""


class Mutants:
    """The damaged files of a loader, by number: the aimed ones first, then random ones without end."""

    def __init__(self, loader: str, valid: Path, seed: int):
        """Build the valid files, unless an earlier process did, and use each once: that compiles kernels."""
        from tools.fuzz_targets import TARGETS

        self.loader, self.seed, self.target = loader, seed, TARGETS[loader]
        if not valid.exists():
            valid.mkdir(parents=True)
            self.target.build(valid)
        for case in sorted(valid.iterdir()):
            self.target.use(case)
        self.data = {path.relative_to(valid): path.read_bytes() for path in sorted(valid.rglob("*")) if path.is_file()}
        self.files = [*self.data]
        self.aimed = [
            (path, damage, data)
            for path in self.files
            for damage, data in aimed(self.data[path], self.target.fields(path.name, self.data[path]))
        ]

    def write(self, number: int, folder: Path) -> tuple[str, Path]:
        """Write the files of one mutant to ``folder``; return its damage and the file that has it."""
        if number < len(self.aimed):
            path, damage, data = self.aimed[number]
        else:
            rng = random.Random(f"{self.seed}/{self.loader}/{number}")
            path = rng.choice(self.files)
            damage, data = mutate(self.data[path], rng)
        shutil.rmtree(folder, ignore_errors=True)
        for other in self.data:
            if other.parts[0] == path.parts[0]:  # files of one case
                (folder / other).parent.mkdir(parents=True, exist_ok=True)
                (folder / other).write_bytes(data if other == path else self.data[other])
        return f"{path}: {damage}", folder / path


def work(folder: Path, seed: int, pipe: Connection, show: bool) -> None:
    """Send the number of a loader's aimed mutants for (loader, None), damage and outcome for (loader, number)."""
    os.environ["OMP_NUM_THREADS"] = "1"
    from gristmill.pipelines.errors import GristmillError

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    known: dict[str, Mutants] = {}
    while True:
        loader, number = pipe.recv()
        if loader not in known:
            known[loader] = Mutants(loader, folder / loader, seed)
        if number is None:
            pipe.send(len(known[loader].aimed))
            continue
        damage, file = known[loader].write(number, folder / "damaged")
        pipe.send(damage)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # SIGPROF ends the process, also inside a kernel
        try:
            known[loader].target.use(folder / "damaged" / file.relative_to(folder / "damaged").parts[0])
            outcome = Outcome("loaded")
        except GristmillError as error:
            text = str(error)
            clear = len(text.splitlines()) == 1 and len(text) < LINE and (file.name in text or str(folder) in text)
            outcome = Outcome("refused" if clear else "unclear", text)
        except MemoryError as error:
            outcome = Outcome("memory", _place(error))
        except BaseException as error:
            outcome = Outcome("traceback", _place(error))
            if show:
                traceback.print_exc()
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        pipe.send(outcome)


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in f.filename] or [frame]
    return f"{type(error).__name__} in {ours[-1].name} ({Path(ours[-1].filename).name}): {error}"


class Worker:
    """A process that uses mutants; another one takes its place after a death or a hang."""

    def __init__(self, folder: Path, seed: int, show: bool = False):
        self.arguments = folder, seed, show
        self._start()

    def _start(self) -> None:
        context, (folder, seed, show) = multiprocessing.get_context("spawn"), self.arguments
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(folder, seed, theirs, show), daemon=True)
        self.process.start()
        theirs.close()

    def count_aimed(self, loader: str) -> int:
        """Return the number of aimed mutants of a loader."""
        self.pipe.send((loader, None))
        return self.pipe.recv()

    def run(self, loader: str, number: int) -> Outcome:
        """Return the outcome of a mutant."""
        damage = ""
        try:
            self.pipe.send((loader, number))
            damage = self.pipe.recv()
            if self.pipe.poll(WALL_SECONDS):
                return self.pipe.recv()._replace(damage=damage)
            self.process.kill()
            outcome = Outcome("hang", f"{WALL_SECONDS} seconds", damage)
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode or 0
            died = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            outcome = Outcome("hang" if died == "SIGPROF" else "signal", died, damage)
        self.process.join()
        self._start()
        return outcome


def fuzz(worker: Worker, loader: str, count: int, only: int | None = None) -> dict[int, Outcome]:
    """Return the outcomes of ``count`` random mutants of a loader and at most as many aimed ones, by number."""
    first = worker.count_aimed(loader)
    drawn = random.Random(worker.arguments[1]).sample(range(first), min(count, first))
    outcomes = {}
    for number in [*sorted(drawn), *range(first, first + count)] if only is None else [only]:
        outcomes[number] = worker.run(loader, number)
        if outcomes[number].kind == "hang":  # a kernel may have been compiled meanwhile
            outcomes[number] = worker.run(loader, number)
    return outcomes


@click.command(help=(__doc__ or "").split("\n")[0])
@click.argument("loaders", nargs=-1)
@click.option("--count", default=5000, show_default=True, help="Number of random mutants of all loaders together.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random mutants.")
@click.option("--checked", is_flag=True, help="Compile the kernels with bounds checks.")
@click.option("--only", type=int, help="Number of a single mutant to use, with its traceback.")
def main(loaders: tuple[str, ...], count: int, seed: int, checked: bool, only: int | None) -> None:
    """Run the loaders and print a table."""
    from tools.fuzz_targets import TARGETS

    if checked:
        os.environ["NUMBA_BOUNDSCHECK"] = "1"
    loaders = loaders or tuple(TARGETS)
    click.echo(f"{'loader':<14}{'files':>8}" + "".join(f"{kind:>11}" for kind in (*GOOD, *BAD)))
    failures = 0
    with tempfile.TemporaryDirectory(prefix="gristmill-fuzz-") as folder:
        worker = Worker(Path(folder), seed, only is not None)
        for loader in loaders:
            outcomes = fuzz(worker, loader, -(-count // len(loaders)), only)
            kinds = Counter(outcome.kind for outcome in outcomes.values())
            click.echo(f"{loader:<14}{len(outcomes):>8,}" + "".join(f"{kinds[kind]:>11,}" for kind in (*GOOD, *BAD)))
            for number, outcome in outcomes.items():
                if outcome.kind in BAD or only is not None:
                    click.echo(f"  {number}  {outcome.kind}: {outcome.damage}: {outcome.reason}"[:400], err=True)
            failures += sum(kinds[kind] for kind in BAD)
        worker.process.kill()
        worker.process.join()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
