"""Fuzz the loaders: a damaged file loads or is refused in one clear line, and never harms the process.

Run ``python -m tools.fuzz [LOADER …] [--count 5000] [--seed 0] [--checked] [--only NUMBER]``. Each loader's small valid
files are written by the product (fuzz_targets.py) and damaged (fuzz_mutations.py): every number of a file aimed at in
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
        from tools.fuzz_targets import TARGETS

        self.loader, self.seed, self.target = loader, seed, TARGETS[loader]
        self.files = sorted(path.relative_to(valid) for path in valid.rglob("*") if path.is_file())
        self.data = {path: (valid / path).read_bytes() for path in self.files}
        self.aimed = [
            (path, damage, data)
            for path in self.files
            for damage, data in aimed(self.data[path], self.target.fields(path.name, self.data[path]))
        ]
        self.aimed += [(path, damage, data) for path, damage, data in self.target.edits(valid)]

    def write(self, number: int, folder: Path) -> tuple[str, Path]:
        """Write the files of one mutant to ``folder``; return its damage and the file that has it."""
        if number < len(self.aimed):
            path, damage, data = self.aimed[number]
        else:
            rng = random.Random(f"{self.seed}/{self.loader}/{number}")
            path = rng.choice(self.files)
            damage, data = mutate(self.data[path], rng)
        shutil.rmtree(folder, ignore_errors=True)
        for other in self.files:
            if other.parts[0] == path.parts[0]:  # files of one case
                (folder / other).parent.mkdir(parents=True, exist_ok=True)
                (folder / other).write_bytes(data if other == path else self.data[other])
        return f"{path}: {damage}", folder / path


def work(loader: str, valid: Path, seed: int, pipe: Connection, show: bool) -> None:
    """Send the number of aimed mutants, then damage and outcome of each mutant that the parent sends the number of."""
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.stderr.flush()
    from gristmill.pipelines.errors import GristmillError

    mutants, folder = Mutants(loader, valid, seed), valid.parent / "damaged"
    for case in sorted(valid.iterdir()):
        mutants.target.use(case)  # compiles kernels, opens libraries
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(len(mutants.aimed))
    while (number := pipe.recv()) is not None:
        damage, file = mutants.write(number, folder)
        pipe.send(damage)
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # SIGPROF ends the process, also inside a kernel
        try:
            mutants.target.use(folder / file.relative_to(folder).parts[0])
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
        pipe.send(outcome)


def _place(error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in f.filename] or [frame]
    return f"{type(error).__name__} in {ours[-1].name} ({Path(ours[-1].filename).name}): {error}"


class Worker:
    """A process that uses mutants of one loader."""

    def __init__(self, loader: str, valid: Path, seed: int, show: bool = False):
        self.pipe, theirs = multiprocessing.get_context("spawn").Pipe()
        arguments = loader, valid, seed, theirs, show
        self.process = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.aimed = self.pipe.recv()

    def run(self, number: int) -> Outcome:
        """Return the outcome of a mutant; after a death or a hang the worker is of no more use."""
        damage = ""
        try:
            self.pipe.send(number)
            damage = self.pipe.recv()
            if self.pipe.poll(WALL_SECONDS):
                return self.pipe.recv()._replace(damage=damage)
            return Outcome("hang", f"{WALL_SECONDS} seconds", damage)
        except (EOFError, ConnectionError):
            self.process.join()
            died = signal.Signals(-self.process.exitcode) if (self.process.exitcode or 0) < 0 else self.process.exitcode
            hangs = died == signal.SIGPROF
            return Outcome("hang" if hangs else "signal", f"{died!r}", damage)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def fuzz(loader: str, count: int, seed: int, folder: Path, only: int | None = None) -> dict[int, Outcome]:
    """Return the outcomes of ``count`` random mutants of a loader and at most as many aimed ones, by number."""
    from tools.fuzz_targets import TARGETS

    valid = folder / loader / "valid"
    valid.mkdir(parents=True)
    builder = multiprocessing.get_context("spawn").Process(target=TARGETS[loader].build, args=(valid,))
    builder.start()
    builder.join()
    worker, outcomes = Worker(loader, valid, seed, only is not None), {}
    drawn = random.Random(seed).sample(range(worker.aimed), min(count, worker.aimed))
    numbers = [*sorted(drawn), *range(worker.aimed, worker.aimed + count)] if only is None else [only]
    for number in numbers:
        outcome = worker.run(number)
        if outcome.kind in ("hang", "signal"):
            worker.stop()
            worker = Worker(loader, valid, seed)
            if outcome.kind == "hang":  # a kernel may have been compiled meanwhile
                outcome = worker.run(number)
        outcomes[number] = outcome
    worker.stop()
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
        cache = str(Path.home() / ".cache" / "gristmill-fuzz-checked")
        os.environ |= {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache}
    loaders = loaders or tuple(TARGETS)
    click.echo(f"{'loader':<14}{'files':>8}" + "".join(f"{kind:>11}" for kind in (*GOOD, *BAD)))
    failures = 0
    with tempfile.TemporaryDirectory(prefix="gristmill-fuzz-") as folder:
        for loader in loaders:
            outcomes = fuzz(loader, -(-count // len(loaders)), seed, Path(folder), only)
            kinds = Counter(outcome.kind for outcome in outcomes.values())
            click.echo(f"{loader:<14}{len(outcomes):>8,}" + "".join(f"{kinds[kind]:>11,}" for kind in (*GOOD, *BAD)))
            for number, outcome in outcomes.items():
                if outcome.kind in BAD or only is not None:
                    click.echo(f"  {number}  {outcome.kind}: {outcome.damage}: {outcome.reason}"[:400], err=True)
            failures += sum(kinds[kind] for kind in BAD)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
