"""Rows of the comparison table. This module imports nothing large, for the reason given in `harness.run`."""

import os
import sys
from pathlib import Path

from benchmarks.harness import BenchmarkError, Row, Side, run

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
CACHE, RESULTS = BUILD / "bench", BUILD / "bench" / "results.json"
PEERS = BUILD / "peers" / ".venv" / "bin" / "python"
DATA = Path(os.environ.get("GRISTMILL_SHARED_DATA", HERE.parent.parent / "shared" / "data"))
RECIPE = HERE.parent / "recipes" / "clean-corpus.toml"


def rows(only: list[str] | None = None) -> list[Row]:
    """Return the rows that match any word of ``only``, or all rows, and prepare their inputs.

    A word selects the row of that name; if there is none, every row whose name contains it. Raise BenchmarkError if no
    row matches.
    """
    found = [make() for name, make in ROWS.items() if not only or any(_selects(word, name) for word in only)]
    if not found:
        raise BenchmarkError(f"no row name contains {' or '.join(only or ())}; there are: {', '.join(ROWS)}")
    return found


def _selects(word: str, name: str) -> bool:
    return word == name or (word not in ROWS and word in name)


def english(megabytes: int) -> Path:
    """Return JSON lines of English web pages, prose and messy documents, shuffled: any prefix resembles the whole."""
    return _prepared(f"english-{megabytes}.jsonl", str(megabytes))


def messy(times: int) -> Path:
    """Return a file with ``times`` copies of the messy documents, no two of them equal."""
    return _prepared(f"messy-{times}.jsonl.zst", str(times))


def _prepared(name: str, argument: str) -> Path:
    path = CACHE / name
    if not path.exists():
        print(f"preparing {path} …", file=sys.stderr)
        run(Side(command=(sys.executable, "-m", "benchmarks.inputs", str(DATA), str(path), argument)))
    return path


def bad_words() -> Path:
    """Return the English list of LDNOOBW, which both sides use."""
    return _prepared("bad-words.txt", "0")


def text_bytes(path: Path) -> int:
    """Return the number of text bytes of a prepared input, as counted by `inputs`."""
    return int(path.with_name(path.name + ".bytes").read_text())


def ours(script: str, *arguments) -> Side:
    return Side(command=(sys.executable, "-m", f"benchmarks.{script}", *map(str, arguments)))


def theirs(script: str, *arguments) -> Side:
    if not PEERS.exists():
        raise BenchmarkError(f"the peers are not installed at {PEERS}; run `make peers`")
    return Side(command=(str(PEERS), str(HERE / "peers" / f"{script}.py"), *map(str, arguments)))


def gristmill(*arguments, source: Path, work: Path) -> Side:
    """Return the side that runs the gristmill command into a work folder, which is removed before each run."""
    start = (sys.executable, "-m", "gristmill")
    return Side(
        command=(*start, *map(str, arguments), "--input", str(source), "--output", str(work)),
        bytes=text_bytes(source),
        fresh=work,
    )


def rules(name: str, megabytes: int, how: str) -> Row:
    """Compare the rules. Gristmill measures all rules on all documents.

    The peer gets the first 4 MB of them, because it is a few hundred times slower. ``how`` is "every" if the peer
    passes each document to every filter too. ``how`` is "chain", the peer's normal use, if a document that one
    filter drops does not reach the next.
    """
    peer = theirs("datatrove_rules", english(4), bad_words(), how)
    return Row(name=name, ours=ours("rules", english(megabytes), bad_words()), peer=peer)


def words() -> Row:
    return Row(name="words", ours=ours("words", english(40)), peer=theirs("spacy_words", english(4)))


def clean(name: str, times: int) -> Row:
    source, work = messy(times), CACHE / "work-clean"
    return Row(name=name, ours=gristmill("clean", RECIPE, "--workers", 1, source=source, work=work))


def ingest() -> Row:
    return Row(
        name="ingest", ours=gristmill("ingest", RECIPE, "--workers", 1, source=messy(1), work=CACHE / "work-ingest")
    )


ROWS = {
    "rules": lambda: rules("rules", 40, "every"),
    "rules, chained": lambda: rules("rules, chained", 40, "chain"),
    "rules, same 4 MB": lambda: rules("rules, same 4 MB", 4, "every"),
    "words": words,
    "ingest": ingest,
    "clean": lambda: clean("clean", 1),
    "clean, ten times": lambda: clean("clean, ten times", 10),
}
