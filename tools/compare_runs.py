"""Comparison of two work folders, made by an older and a newer version: equal up to renamed words?

Run ``python -m tools.compare_runs OLD NEW [--renames FILE]``. It prints one row for each thing that either folder
holds and exits with 1 if any row differs. Things are documents, clean documents, removals (id -> set of reasons),
removed documents, the ledger, measures of each step, vocabulary and merges of each tokenizer, and token shards.
"""

import hashlib
import json
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Rows = dict[Any, Any]  # key of an entry (id, row number, token id, file name) -> all there is to compare


class Renames(NamedTuple):
    """Old words -> new words; a key may begin with its old step (or "ledger", "tokenizer") and a dot."""

    steps: dict[str, str] = {}
    rules: dict[str, str] = {}
    columns: dict[str, str] = {}

    def step(self, name: str | None) -> str | None:
        """Return today's name of a step."""
        return self.steps.get(name or "", name)

    def rule(self, step: str | None, name: str | None) -> str | None:
        """Return today's name of a rule, or of a reason of rewritten spans."""
        return self.rules.get(f"{step}.{name}", self.rules.get(name or "", name))

    def column(self, owner: str, name: str) -> str:
        """Return today's name of a column."""
        return self.columns.get(f"{owner}.{name}", self.columns.get(name, name))

    def row(self, owner: str, row: dict) -> dict:
        """Return a row, and all rows nested in it, with today's names."""
        new, step = {}, row.get("step")
        for key, value in row.items():
            if key == "step":
                value = self.step(value)
            elif key in ("rule", "reason"):
                value = self.rule(step, value)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                value = [self.row(owner, each) for each in value]
            new[self.column(owner, key)] = value
        return new


class Difference(NamedTuple):
    """Comparison of one thing: its number of entries, how many differ, and the first of these."""

    thing: str
    entries: int
    differing: int
    first: str


def rows(folder: Path) -> Iterator[dict]:
    """Yield the rows of a folder's shards, in the order of their names; a run may have split them by a column."""
    for shard in sorted(folder.rglob("*.parquet")):
        yield from pl.read_parquet(shard).iter_rows(named=True)


def by_id(folder: Path, owner: str, renames: Renames) -> Rows:
    """Return id -> row; a row whose id came before has its number too."""
    found: Rows = {}
    for number, row in enumerate(rows(folder)):
        if owner == "removed":
            step, _, rule = row["reason"].partition(".")
            row["reason"] = f"{renames.step(step)}.{renames.rule(step, rule)}"
        key = row["id"] if row["id"] not in found else f"{row['id']} again in row {number}"
        found[key] = renames.row(owner, row)
    return found


def removals(folder: Path, renames: Renames, reasons: str) -> Rows:
    """Return id -> all rules that a removed document breaks; ``reasons`` is today's name of the ledger's column."""
    ledger = {key: row for key, row in by_id(folder, "ledger", renames).items() if not row["kept"]}
    return {key: sorted(f"{each['step']}.{each['rule']}" for each in at(row, reasons)) for key, row in ledger.items()}


def measures(folder: Path, step: str, renames: Renames) -> Rows:
    """Return row number -> measures."""
    return dict(enumerate(renames.row(step, row) for row in rows(folder)))


def vocabulary(file: Path, renames: Renames, key: str) -> Rows:
    """Return token id -> token and score, or rank -> merge if ``key`` is "merges"."""
    model = renames.row("tokenizer", json.loads(file.read_text("utf-8")))
    entries = at(model, key)
    scores = model.get("scores", []) if key != "merges" else []
    return dict(enumerate(zip(entries, scores, strict=True) if scores else entries))


def at(row: dict, key: str) -> Any:
    """Return one value of a row; raise UsageError if it has another name that the renames do not give."""
    if key not in row:
        raise click.UsageError(f"no {key!r} among {', '.join(row)}; add its new name to [columns] of the renames")
    return row[key]


def payload(folder: Path) -> Rows:
    """Return file name -> SHA-256, of all but JSON: manifests, logs and the tokenizer, which is compared by itself."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix not in (".json", ".jsonl"))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def things(work: Path, words: Renames, new: Renames) -> dict[str, Callable[[], Rows]]:
    """Return the name of each thing in a work folder and the function that reads it.

    ``words`` are the renames to apply, none for the newer folder; ``new`` are all renames.
    """
    found: dict[str, Callable[[], Rows]] = {}
    for name in ("documents", "clean", "removed", "ledger"):
        if (work / name).is_dir():
            found[name] = partial(by_id, work / name, name, words)
    if "ledger" in found:
        found["removals"] = partial(removals, work / "ledger", words, new.column("ledger", "reasons"))
    for folder in sorted(work.glob("steps/*/measures")):
        step = folder.parent.name
        found[f"measures {words.step(step)}"] = partial(measures, folder, step, words)
    for file in sorted(work.glob("tokenizers/*/gristmill.json")):
        for key in (new.column("tokenizer", "pieces"), "merges"):
            found[f"tokenizer {file.parent.name} {key}"] = partial(vocabulary, file, words, key)
    for folder in sorted(path for path in work.glob("tokens/*") if path.is_dir()):
        found[f"tokens {folder.name}"] = partial(payload, folder)
    return found


def compare(thing: str, old: Rows, new: Rows) -> Difference:
    """Return how two sets of entries differ, by key, then in their order."""
    keys = dict.fromkeys([*old, *new])
    differing = [key for key in keys if key not in old or key not in new or not same(old[key], new[key])]
    if differing:
        return Difference(thing, len(keys), len(differing), describe(differing[0], old, new))
    moved = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    first = f"order: {moved[0][0]} was where {moved[0][1]} is" if moved else ""
    return Difference(thing, len(keys), len(moved), first)


def same(old: Any, new: Any) -> bool:
    """True if two values are equal; floats to the bit, and NaN is NaN."""
    return old == new or repr(old) == repr(new)


def describe(key: Any, old: Rows, new: Rows) -> str:
    """Return one line for an entry that differs: its first column that differs, or the side that lacks the entry."""
    if key not in old or key not in new:
        return f"{key}: only in {'NEW' if key in new else 'OLD'}"
    a, b = old[key], new[key]
    if isinstance(a, dict) and isinstance(b, dict):
        none = "(no such column)"
        column = next(name for name in {**a, **b} if not same(a.get(name, none), b.get(name, none)))
        key, a, b = f"{key} {column}", a.get(column, none), b.get(column, none)
    return f"{key}: {excerpt(a, b)} -> {excerpt(b, a)}"


def excerpt(value: Any, other: Any, size: int = 60) -> str:
    """Return the part of a value's text where it begins to differ from another's."""
    text, against = (each if isinstance(each, str) else repr(each) for each in (value, other))
    pairs = enumerate(zip(text, against, strict=False))
    start = max(0, next((k for k, (a, b) in pairs if a != b), min(len(text), len(against))) - size // 3)
    return f"{'…' * (start > 0)}{text[start : start + size]!r}{'…' * (start + size < len(text))}"


def compare_runs(old: Path, new: Path, renames: Renames) -> Iterator[Difference]:
    """Yield the comparison of each thing that either work folder holds."""
    left, right = things(old, renames, renames), things(new, Renames(), renames)
    for thing in dict.fromkeys([*left, *right]):
        yield compare(thing, *(side[thing]() if thing in side else {} for side in (left, right)))


def table(differences: list[Difference]) -> Table:
    """Return the table of all comparisons."""
    shown = Table("thing", "entries", "equal", "differing", "first difference")
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:4]:
        column.justify = "right"
    for thing, count, differing, first in differences:
        style = "red" if differing else None
        shown.add_row(thing, f"{count:,}", f"{count - differing:,}", f"{differing:,}", escape(first), style=style)
    return shown


@click.command()
@click.argument("old", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--renames",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path(__file__).with_name("renames.toml"),
    help="TOML file of renamed steps, rules and columns (default: tools/renames.toml).",
)
def main(old: Path, new: Path, renames: Path) -> None:
    """Compare work folder OLD with work folder NEW, made by a newer version; exit with 1 if they differ."""
    words = Renames(**tomllib.loads(renames.read_text("utf-8")))
    differences = list(compare_runs(old, new, words))
    if not differences:
        raise click.UsageError(f"neither {old} nor {new} is a work folder")
    Console().print(table(differences))
    sys.exit(any(each.differing for each in differences))


if __name__ == "__main__":
    main()
