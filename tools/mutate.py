"""Mutation testing: seeded single-token mutations of a room, each run against the room's tests.

Run ``python -m tools.mutate ROOM [--count 40] [--seed 0] [--jobs 1] [--only FILE] [--list]``; a table shows the mutants
that survive. Exit status 1 says that more than 3 in 40 do.

1. The working tree is copied to a temporary folder; mutants never touch the tree itself.
2. The room's fast tests (neither slow nor flow) run there unchanged: they must pass, and they compile all kernels.
3. Each mutant is a copy made of hard links with one file replaced, so only kernels that the file is part of compile
   anew (pipelines/kernels/cache.py). Tests named after the file run first, then those of its subfolder, then the rest.

A mutant is killed by a failing test, a crash, or a run that takes three times as long as the room's tests do. Mutations
that tools/equivalent_mutants.toml lists, each with the reason why nothing can show it, are not drawn.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tools.mutations import Mutation, mutations
from tools.tree import ROOMS, copy_files, listed_files

REPOSITORY = Path(__file__).resolve().parents[1]
FAST = "not slow and not flow"
NO_TESTS = 5  # pytest's exit status
GRACE = 180  # seconds that a mutant's kernels may take to compile, besides its tests
ALLOWED = 3 / 40  # share of survivors


class Mutant(NamedTuple):
    """A mutation of one file, by its path in the tree."""

    file: str
    mutation: Mutation

    def lines(self, root: Path) -> tuple[str, str]:
        """Return the changed line, before and after, without indentation."""
        source, line = (root / self.file).read_text("utf-8"), self.mutation.start[0] - 1
        return source.splitlines()[line].strip(), self.mutation.apply(source).splitlines()[line].strip()


class Outcome(NamedTuple):
    """Result of one mutant: "killed", "timeout" or "survived"."""

    mutant: Mutant
    status: str
    seconds: float


def draw(root: Path, room: str, count: int, seed: int, only: tuple[str, ...] = ()) -> list[Mutant]:
    """Return ``count`` mutants: places drawn with equal chance among all of the room's, one change of each."""
    files = sorted(str(file.relative_to(root)) for file in (root / room).rglob("*.py"))
    places = []
    for file in [file for file in files if not only or file in only]:
        found = mutations((root / file).read_text("utf-8"))
        places += [[Mutant(file, each) for each in group] for _, group in groupby(found, lambda each: each[:2])]
    rng, equivalent = random.Random(seed), known_equivalents(root)
    drawn = (rng.choice(choices) for choices in rng.sample(places, len(places)))
    return list(islice((each for each in drawn if (each.file, *each.lines(root)) not in equivalent), count))


def known_equivalents(root: Path) -> set[tuple[str, str, str]]:
    """Return file, old and new line of each mutation that no test can kill."""
    listed = root / "tools/equivalent_mutants.toml"
    tables = tomllib.loads(listed.read_text("utf-8")) if listed.exists() else {}
    return {(each["file"], each["old"], each["new"]) for each in tables.get("mutant", [])}


def copy_tree(root: Path, target: Path) -> None:
    """Copy the tree; link the rooms into ``gristmill/`` so that they import from the copy."""
    copy_files(root, listed_files(root), target)
    for room in ROOMS:
        if (target / room).is_dir():
            (target / "gristmill" / room).symlink_to(f"../{room}")


def run_tests(tree: Path, arguments: list[str], seconds: float | None, shared_data: Path) -> str:
    """Run pytest in a tree; return "survived" if it passes, else "killed" or "timeout"."""
    environment = os.environ | {"PYTHONPATH": str(tree), "GRISTMILL_SHARED_DATA": str(shared_data)}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2048  # kB: a mutant may allocate without end
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", FAST, *arguments]
    limited = ["sh", "-c", f'ulimit -d {memory}; exec "$@"', "sh", *command]
    with (tree / "output.txt").open("w") as output:
        process = subprocess.Popen(
            limited, cwd=tree, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            return "survived" if process.wait(seconds) in (0, NO_TESTS) else "killed"
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def stages(tree: Path, file: str) -> Iterator[list[str]]:
    """Yield pytest's arguments: the tests named after a file, those of its subfolder, then all others of its room."""
    room, tests = Path(file).parts[0], Path("tests", *Path(file).parts[:-1])
    while not (tree / tests).is_dir():
        tests = tests.parent
    named = sorted(str(path.relative_to(tree)) for path in (tree / tests).glob(f"test_*{Path(file).stem}*.py"))
    done: list[str] = []
    for paths in (named, [str(tests)], [f"tests/{room}"]):
        if paths and paths != done:
            yield [*paths, *(f"--ignore={path}" for path in done)]
            done = done + paths


def run_mutant(base: Path, mutant: Mutant, seconds: float, shared_data: Path) -> Outcome:
    """Run the tests of a mutant in a copy of its own, made of hard links."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=base.parent, prefix="mutant-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(base, tree, copy_function=os.link, symlinks=True)
        source = (tree / mutant.file).read_text("utf-8")
        (tree / mutant.file).unlink()  # the link, not the file that others share
        (tree / mutant.file).write_text(mutant.mutation.apply(source), "utf-8")
        status = "survived"
        for arguments in stages(tree, mutant.file):
            left = seconds - (time.monotonic() - began)
            if status == "survived":
                status = run_tests(tree, arguments, max(1, left), shared_data)
    return Outcome(mutant, status, time.monotonic() - began)


def run_room(root: Path, room: str, mutants: list[Mutant], jobs: int, timeout: float | None) -> Iterator[Outcome]:
    """Yield the outcome of each mutant; raise ClickException if the tests fail without any mutation."""
    shared_data = Path(os.environ.get("GRISTMILL_SHARED_DATA", root.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        base, began = Path(folder) / "base", time.monotonic()
        base.mkdir()
        copy_tree(root, base)
        for _ in range(2):  # the first run fills the caches, the second is timed
            began = time.monotonic()
            if run_tests(base, [f"tests/{room}"], None, shared_data) != "survived":
                raise click.ClickException(f"tests/{room} fail unchanged:\n{(base / 'output.txt').read_text()[-3000:]}")
        (base / "output.txt").unlink()  # a link to it would be written by all mutants
        seconds = timeout or GRACE + 3 * (time.monotonic() - began)
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(lambda mutant: run_mutant(base, mutant, seconds, shared_data), mutants)


def table(root: Path, mutants: list[Mutant]) -> Table:
    """Return a table of mutants: file, line, the line before and after."""
    shown = Table("file", "line", "old", "new")
    for mutant in mutants:
        shown.add_row(mutant.file, str(mutant.mutation.start[0]), *map(escape, mutant.lines(root)))
    return shown


@click.command()
@click.argument("room", type=click.Choice(ROOMS))
@click.option("--count", type=click.IntRange(1), default=40, show_default=True, help="Number of mutants.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the draw.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Number of mutants at a time.")
@click.option("--only", multiple=True, metavar="FILE", help="Path of a file to mutate, such as filters/text/lines.py.")
@click.option("--list", "listed", is_flag=True, help="Print the mutants and run none.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Time limit of a mutant (default: from the tests' own).")
def main(
    room: str, count: int, seed: int, jobs: int, only: tuple[str, ...], listed: bool, timeout: float | None
) -> None:
    """Mutate the code of ROOM and print the mutants that its tests do not kill."""
    console = Console()
    mutants = draw(REPOSITORY, room, count, seed, only)
    if not mutants:
        raise click.UsageError(f"no mutation in {', '.join(only) or room}")
    if listed:
        console.print(table(REPOSITORY, mutants))
        return
    survivors = []
    for number, outcome in enumerate(run_room(REPOSITORY, room, mutants, jobs, timeout), 1):
        file, mutation = outcome.mutant
        click.echo(
            f"{number:>3}/{len(mutants)} {outcome.status:8} {outcome.seconds:5.0f} s  "
            f"{file}:{mutation.start[0]}: {mutation.old!r} -> {mutation.new!r}",
            err=True,
        )
        if outcome.status == "survived":
            survivors.append(outcome.mutant)
    console.print(table(REPOSITORY, survivors), f"{len(survivors)} of {len(mutants)} mutants of {room} survive.")
    sys.exit(len(survivors) > ALLOWED * len(mutants))


if __name__ == "__main__":
    main()
