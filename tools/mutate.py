"""Mutation testing: seeded single-token mutations of a room, each run against the room's tests.

Run ``python -m tools.mutate ROOM [--count 40] [--seed 0] [--jobs 1] [--only FILE] [--keep FOLDER] [--list]``; a table
shows the mutants that survive. Exit status 1 says that more than 3 in 40 do.

1. The working tree is copied to a temporary folder; mutants never touch the tree itself.
2. The room's fast tests (neither slow nor flow) run there unchanged, each file of tests in a process of its own. They
   must pass; what each of them reaches is written down, and they compile all kernels.
3. For each mutant a process, forked where all tests are loaded, runs the test files that reach the mutation, nearest
   first (tools/mutant_runs.py). Only kernels that the file is part of compile anew (pipelines/kernels/cache.py).

A mutant is killed by a failing test, a crash, or a test file that takes far more than three times its CPU seconds.
A change of code changes the draw in the lines that it changes and nowhere else. Mutations that
tools/equivalent_mutants.toml lists, each with the reason why nothing can show it, are not drawn. With ``--keep`` a run
that is stopped goes on: mutants that have not been killed run, and tests that changed are measured.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
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
PLAN = "GRISTMILL_MUTANTS"  # environment variable
ARGUMENTS = ["-q", "-s", "-p", "no:cacheprovider", "-p", "tools.mutant_runs", "-m", "not slow and not flow"]
GRACE = 10, 40  # CPU seconds that a test file may take besides three times its own: to run, and to compile kernels
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
    """Result of one mutant: "killed", "timeout" or "survived", and the CPU seconds that its tests took."""

    mutant: Mutant
    status: str
    seconds: float

    @classmethod
    def of(cls, record: dict) -> "Outcome":
        """Return the outcome that tools/mutant_runs.py wrote."""
        start, stop, old, new = record["change"]
        return cls(Mutant(record["file"], Mutation(tuple(start), tuple(stop), old, new)), *record["result"])


def draw(root: Path, room: str, count: int, seed: int, only: tuple[str, ...] = ()) -> list[Mutant]:
    """Return ``count`` mutants: places drawn with equal chance among all of the room's, one change of each."""
    files = sorted(str(file.relative_to(root)) for file in (root / room).rglob("*.py"))
    drawn = {}  # rank -> mutant
    for file in [file for file in files if not only or file in only]:
        source = (root / file).read_text("utf-8")
        names = names_of_lines(source)
        for (start, stop), group in groupby(mutations(source), lambda each: each[:2]):
            place = seed, file, names[start[0] - 1], start[1], stop[1]
            drawn[rank(place)] = Mutant(file, min(group, key=lambda each: rank((*place, each.new))))
    equivalent = known_equivalents(root)
    ordered = (each for _, each in sorted(drawn.items()))
    return list(islice((each for each in ordered if (each.file, *each.lines(root)) not in equivalent), count))


def names_of_lines(source: str) -> list[tuple[str, int]]:
    """Return a name of each line that stays when other lines change: its text, and how often that came before."""
    seen = Counter[str]()
    names = []
    for line in source.splitlines():
        names.append((line, seen[line]))
        seen[line] += 1
    return names


def rank(name: tuple) -> str:
    """Return a place in a random order that depends on nothing but the name."""
    return hashlib.sha256(repr(name).encode()).hexdigest()


def known_equivalents(root: Path) -> set[tuple[str, str, str]]:
    """Return file, old and new line of each mutation that no test can kill."""
    listed = root / "tools/equivalent_mutants.toml"
    tables = tomllib.loads(listed.read_text("utf-8")) if listed.exists() else {}
    return {(each["file"], each["old"], each["new"]) for each in tables.get("mutant", [])}


def copy_tree(root: Path, target: Path) -> None:
    """Copy the tree; link the rooms into ``gristmill/`` so that they import from the copy."""
    target.mkdir(parents=True)
    copy_files(root, listed_files(root), target)
    for room in ROOMS:
        if (target / room).is_dir():
            (target / "gristmill" / room).symlink_to(f"../{room}")


Run = tuple[subprocess.Popen, Path]  # and the file of its output


class Trees:
    """Copies of the working tree in a folder, and runs of a room's tests there."""

    def __init__(self, root: Path, room: str, folder: Path):
        self.root, self.room, self.folder = root, room, folder
        self.shared_data = Path(os.environ.get("GRISTMILL_SHARED_DATA", root.parent / "shared" / "data"))
        copy_tree(root, folder / "base")

    def start(self, tree: Path, name: str, plan: dict, **environment: str) -> Run:
        """Start pytest in a tree with a plan for tools/mutant_runs.py."""
        path, output = self.folder / f"{name}.plan", self.folder / f"{name}.txt"
        path.write_text(json.dumps(plan | {"arguments": ARGUMENTS, "grace": GRACE}), "utf-8")
        own = {"PYTHONPATH": f"{tree}{os.pathsep}{REPOSITORY}", "GRISTMILL_SHARED_DATA": str(self.shared_data)}
        command = [sys.executable, "-m", "pytest", *ARGUMENTS, f"tests/{self.room}"]
        environment = os.environ | own | {PLAN: str(path)} | environment
        with output.open("w") as file:
            return subprocess.Popen(command, cwd=tree, env=environment, stdout=file, stderr=file), output

    def end(self, runs: list[Run]) -> None:
        """Wait for runs; raise ClickException if one has not ended well."""
        for output in [output for process, output in runs if process.wait()]:
            raise click.ClickException(f"tests/{self.room} fail unchanged:\n{output.read_text()[-3000:]}")

    def digests(self) -> dict[str, str]:
        """Return a digest of each test file and of all code that is none."""
        code, tests = hashlib.sha256(), {}
        for name in sorted(name for name in listed_files(self.root) if name.endswith(".py")):
            data = (self.root / name).read_bytes()
            if Path(name).name.startswith("test_"):
                tests[name] = data
            elif not name.startswith("tools/"):
                code.update(data)
        return {name: hashlib.sha256(code.digest() + data).hexdigest() for name, data in tests.items()}

    def reach(self, jobs: int, written: Path) -> None:
        """Write what each test file reaches; a test file that is known and has not changed does not run."""
        digests, base = self.digests(), self.folder / "base"
        records = [json.loads(line) for line in written.read_text().splitlines()] if written.exists() else []
        known = {each["test"]: each for each in records if digests.get(each["test"]) == each.get("digest", "")}
        written.write_text("".join(f"{json.dumps(each)}\n" for each in known.values()))
        tests = sorted(test for test in digests if test.startswith(f"tests/{self.room}/") and test not in known)
        plan = {"kind": "reach", "output": str(written), "digests": digests}
        parts = [["", *tests[::jobs]], *(tests[k::jobs] for k in range(1, jobs))]  # "": what importing them all runs
        self.end([self.start(base, f"reach-{k}", plan | {"tests": part}) for k, part in enumerate(parts) if part])

    def run(self, mutants: list[Mutant], jobs: int, reach: Path, written: Path) -> Iterator[Outcome]:
        """Yield the outcome of each mutant as it comes."""
        written.touch()
        done = written.stat().st_size
        runs = []
        for k in range(min(jobs, len(mutants))):
            tree = self.folder / f"tree-{k}"
            shutil.copytree(self.folder / "base", tree, copy_function=os.link, symlinks=True)
            plan = {"kind": "mutants", "mutants": mutants[k::jobs], "reach": str(reach), "output": str(written)}
            # No bytecode: two mutants of one second and length look alike.
            runs.append(self.start(tree, tree.name, plan, PYTHONDONTWRITEBYTECODE="1"))
        try:
            with written.open() as lines:
                lines.seek(done)
                while True:
                    ended = all(process.poll() is not None for process, _ in runs)
                    yield from (Outcome.of(json.loads(line)) for line in lines)
                    if ended:
                        break
                    time.sleep(0.2)
            self.end(runs)
        finally:
            for process, _ in runs:
                process.terminate()  # and the mutant that it runs
                process.wait()


def run_room(root: Path, room: str, mutants: list[Mutant], jobs: int, keep: Path | None = None) -> Iterator[Outcome]:
    """Yield the outcome of each mutant, first those known; raise ClickException if the tests fail unchanged."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        kept = (keep or Path(folder)).absolute()
        kept.mkdir(parents=True, exist_ok=True)
        written = kept / f"{room}-mutants.jsonl"
        before = [Outcome.of(json.loads(line)) for line in written.read_text().splitlines()] if written.exists() else []
        known = {each.mutant: each for each in before if each.status != "survived" and each.mutant in mutants}
        yield from known.values()
        if left := sorted(set(mutants) - set(known)):
            trees = Trees(root, room, Path(folder))
            trees.reach(jobs, reach := kept / f"{room}-tests.jsonl")
            yield from trees.run(left, jobs, reach, written)


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
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for outcomes, so that a run can go on.")
def main(room: str, count: int, seed: int, jobs: int, only: tuple[str, ...], listed: bool, keep: Path | None) -> None:
    """Mutate the code of ROOM and print the mutants that its tests do not kill."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    mutants = draw(REPOSITORY, room, count, seed, only)
    if not mutants:
        raise click.UsageError(f"no mutation in {', '.join(only) or room}")
    if listed:
        console.print(table(REPOSITORY, mutants))
        return
    survivors = []
    for number, outcome in enumerate(run_room(REPOSITORY, room, mutants, jobs, keep), 1):
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
