"""Flip single bits in finished work: ``python -m benchmarks.bit_flips [--flips 200] [--seed 1]``.

Each round flips one random bit of one finished file, in turn of each kind. `gristmill verify` must name that file and
no other. A run with other thresholds (for tokens: another order) must then name the file and stop, or write the same
bytes as on undamaged work. After the file is removed, the first command must make it again byte for byte. The exit
code is 1 if a flip was missed, spread, or was not repaired.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.runs.verify import verify
from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.pipelines.errors import WorkError

KINDS = {
    "documents": "documents/*.parquet",
    "measures": "steps/*/measures/*.parquet",
    "spans": "steps/*/spans/*.parquet",
    "decisions": "steps/*/decisions/*.parquet",
    "clean": "clean/*.parquet",
    "tokens": "tokens/**/*.*",
}
NOTES = ("run.json", "log.jsonl", "inputs.json")  # with times
WORDS = "the mill by a river turns grain into flour and of bread people have made for years with water to be told"


class Flip(NamedTuple):
    """Result of one flipped bit."""

    kind: str
    found: bool  # verify named the file and no other
    stopped: bool  # the changed run named the file; False: it finished without it
    spread: bool  # a file of the changed run differs
    repaired: bool  # after its removal all files are as before


class Bench:
    """Finished work in ``folder``, and the same work under changed settings."""

    def __init__(self, folder: Path, documents: int = 240):
        self.raw, self.work, self.whole, self.other = (folder / name for name in ("raw", "work", "whole", "other"))
        rng = random.Random(1)
        self.raw.mkdir(parents=True)
        for k in range(3):
            texts = [_text(rng, i) for i in range(documents // 3)]
            lines = [f'{{"id": "{k}-{i}", "text": "{text}"}}\n' for i, text in enumerate(texts)]
            (self.raw / f"{k}.jsonl").write_text("".join(lines))
        self.run(self.work, 2, 0)
        shutil.copytree(self.work, self.whole)
        self.run(self.work, 3, 7)
        shutil.move(self.work, self.other)

    def run(self, work: Path, min_sentences: int, seed: int) -> None:
        """Clean the documents, train a tokenizer on all of them, and write tokens."""
        steps = {"c4": {"min_sentences": min_sentences}, "fineweb": {}, "exact": {}}
        table = {"input": {"paths": [str(self.raw)], "work_unit_bytes": 40_000}, "steps": steps}
        clean(parse_recipe(table, "bit flips"), UPath(work))
        trained, corpus = work / "tokenizer", [str(work / "documents")]
        train_tokenizer(corpus, UPath(trained), tokenizer_settings({"vocab_size": 300}))
        settings = token_settings([f"tokens.seed={seed}", "tokens.validation=0.1"])
        tokenize([str(work / "clean")], str(trained), UPath(work / "tokens"), settings)

    def flip(self, kind: str, rng: random.Random) -> Flip:
        """Copy the work and flip one bit in a file of the copy; verify it, run on it, repair it."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.whole, self.work, copy_function=shutil.copy)
        files = sorted(path for path in self.work.glob(KINDS[kind]) if path.name not in (*NOTES, "manifest.json"))
        files = [path for path in files if path.stat().st_size]
        path = rng.choice(files)
        data = bytearray(path.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        problems = verify(UPath(self.work)).problems
        stopped = self._stops(path)
        spread = not stopped and self._differs(self.other, but=path)
        path.unlink(missing_ok=True)
        found = [str(path) in line for line in problems] == [True]
        return Flip(kind, found, stopped, spread, self._same_again())

    def _stops(self, path: Path) -> bool:
        try:
            self.run(self.work, 3, 7)
        except WorkError as error:
            if str(path) in str(error):
                return True
            raise
        return False

    def _same_again(self) -> bool:
        self.run(self.work, 2, 0)
        return not self._differs(self.whole)

    def _differs(self, expected: Path, but: Path | None = None) -> bool:
        """True if a file differs from the expected work, except a damaged one that was not read."""
        mine, theirs = tree(self.work), tree(expected)
        skipped = str(but.relative_to(self.work)) if but else ""
        return mine.keys() != theirs.keys() or any(mine[n] != theirs[n] for n in mine if n != skipped)


def _text(rng: random.Random, i: int) -> str:
    lines = (" ".join(rng.choices(WORDS.split(), k=rng.randint(4, 25))) for _ in range(rng.randint(1, 9)))
    return "\\n".join(line.capitalize() + "." for line in lines) if i % 7 else "short"


def tree(work: Path) -> dict[str, bytes]:
    """Return all files of a work folder, except notes that hold times, by relative path."""
    files = (path for path in work.rglob("*") if path.is_file() and path.name not in NOTES)
    return {str(path.relative_to(work)): path.read_bytes() for path in files}


def flips(folder: Path, count: int, seed: int, done: Callable[[Flip], None] = lambda flip: None) -> list[Flip]:
    """Return the results of ``count`` flipped bits, the kinds in turn; ``done`` gets each."""
    bench, rng, kinds = Bench(folder), random.Random(seed), list(KINDS)
    found = []
    for n in range(count):
        found.append(bench.flip(kinds[n % len(kinds)], rng))
        done(found[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bit_flips", description=__doc__)
    parser.add_argument("--flips", type=int, default=200, help="number of flipped bits (default 200)")
    parser.add_argument("--seed", type=int, default=1, help="seed of files and bits (default 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        every = flips(Path(folder) / "flips", arguments.flips, arguments.seed)
    print("| kind | bits flipped | found | next run stopped | spread | repaired |\n|---|---:|---:|---:|---:|---:|")
    for kind in [*KINDS, "all"]:
        mine = [flip for flip in every if kind in (flip.kind, "all")]
        sums = [sum(column) for column in zip(*(flip[1:] for flip in mine), strict=True)]
        print(f"| {kind} | {len(mine)} | " + " | ".join(map(str, sums)) + " |")
    sys.exit(not all(flip.found and flip.repaired and not flip.spread for flip in every))


if __name__ == "__main__":
    main()
