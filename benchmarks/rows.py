"""What is compared: the rows of the table. Imports nothing heavy, see `harness.run`."""

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
    """The rows with any of these names, or words in their name, their inputs prepared. BenchmarkError for none."""
    found = [make() for name, make in ROWS.items() if not only or any(_means(word, name) for word in only)]
    if not found:
        raise BenchmarkError(f"no row is named so; there are: {', '.join(ROWS)}")
    return found


def _means(word: str, name: str) -> bool:
    return word == name or (word not in ROWS and word in name)


def english(megabytes: int) -> Path:
    """English web pages, prose and messy documents, JSON lines, in an order that any beginning is like the whole."""
    return _prepared(f"english-{megabytes}.jsonl", str(megabytes))


def messy(times: int) -> Path:
    """The messy documents so many times over, no two copies equal."""
    return _prepared(f"messy-{times}.jsonl.zst", str(times))


def _prepared(name: str, argument: str) -> Path:
    path = CACHE / name
    if not path.exists():
        print(f"preparing {path} …", file=sys.stderr)
        run(Side(command=(sys.executable, "-m", "benchmarks.inputs", str(DATA), str(path), argument)))
    return path


def bad_words() -> Path:
    """The English list of LDNOOBW, for both sides."""
    return _prepared("bad-words.txt", "0")


def text_bytes(path: Path) -> int:
    """Of a prepared input, as `inputs` counted them."""
    return int(path.with_name(path.name + ".bytes").read_text())


def ours(script: str, *arguments) -> Side:
    return Side(command=(sys.executable, "-m", f"benchmarks.{script}", *map(str, arguments)))


def theirs(script: str, *arguments) -> Side:
    if not PEERS.exists():
        raise BenchmarkError(f"the peers are not installed at {PEERS}; `make peers` does it")
    return Side(command=(str(PEERS), str(HERE / "peers" / f"{script}.py"), *map(str, arguments)))


def gristmill(*arguments, source: Path, work: Path) -> Side:
    """The command itself, into a work folder that is removed before each run."""
    start = (sys.executable, "-m", "gristmill")
    return Side(
        command=(*start, *map(str, arguments), "--input", str(source), "--output", str(work)),
        bytes=text_bytes(source),
        fresh=work,
    )


def rules(name: str, megabytes: int, how: str) -> Row:
    """Ours measures all rules of all documents. The peer, a few hundred times slower, has the first 4 MB of them.

    ``how`` is "every" where the peer shows each document to every filter too, "chain" where, as it is used, a document
    that one filter drops is not shown to the next.
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
