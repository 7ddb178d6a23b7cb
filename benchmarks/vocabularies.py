"""Tokenizers of other libraries: which are ours, which run in their library, how fast, and whether any id differs.

    python -m benchmarks.vocabularies FOLDER [--corpus TEXT…] [--random 2000]

Every tokenizer in FOLDER is imported, as `gristmill tokenizer import` does, and compared with its library once more: on
random texts of its own seed, on every code point in three contexts, and on the corpus. A difference fails the run.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

NAMES = ("*.json", "*.model", "*.model.v*", "vocab.txt")
CONTEXTS = ("a{}b", " {}1", "\n{} ")


def files_in(folder: Path) -> list[Path]:
    """Return the files whose name is one of a tokenizer."""
    found = {path for name in NAMES for path in folder.rglob(name) if not path.name.endswith("_config.json")}
    return sorted(path for path in found if path.name != "gristmill.json")


def random_texts(count: int, tokens: Sequence[str]) -> Iterator[str]:
    """Yield mixtures of odd fragments, tokens and characters."""
    from gristmill.tokenizers_lab.battery import FRAGMENTS

    rng = random.Random(91)
    parts = [*FRAGMENTS, *tokens]
    for _ in range(count):
        odd = [chr(rng.choice([rng.randrange(0x20, 0x3000), rng.randrange(0xE000, 0x1FFFF)])) for _ in range(4)]
        yield "".join(rng.choices(parts + odd, k=rng.randint(1, 40)))


@cache
def code_points() -> list[str]:
    """Return all code points in three contexts."""
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    groups = [codes[begin : begin + 256] for begin in range(0, len(codes), 256)]
    return ["".join(context.format(chr(code)) for code in group) for context in CONTEXTS for group in groups]


def main() -> None:
    from upath import UPath

    from gristmill.pipelines.errors import GristmillError
    from gristmill.tokenizers_lab.battery import sample
    from gristmill.tokenizers_lab.formats.detect import read_file
    from gristmill.tokenizers_lab.import_tokenizer import first_difference, import_file
    from gristmill.tokenizers_lab.originals import open_original
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", nargs="*", default=[])
    parser.add_argument("--random", type=int, default=2000)
    args = parser.parse_args()
    failed = 0
    print(f"{'file':<40}{'backend':>14}{'MB/s':>8}  ids")
    for path in files_in(args.folder):
        name = str(path.relative_to(args.folder))[-39:]
        try:
            done = import_file(UPath(path))
        except GristmillError as error:
            print(f"{name:<40}{'refused':>14}{'':>8}  {str(error)[:100]}")
            continue
        ours = Tokenizer(done.model)
        original = open_original(read_file(UPath(path)))
        tokens = [token.content for token in done.model.added_tokens][:50]
        texts = [*random_texts(args.random, tokens), *sample(args.corpus)]
        modes = (False,) if done.library == "sentencepiece" else (False, True)
        found = "not compared"
        if original is not None:
            found = first_difference(ours, original, texts, modes)
            found = first_difference(ours, original, code_points(), modes[:1]) if found is None else found
        failed += found is not None
        told = f"equal on {len(texts) + len(code_points()):,} texts" if found is None else f"differ: {found[:60]!r}"
        print(
            f"{name:<40}{done.backend:>14}{done.mb_per_second:>8.1f}  {told}{', ' + done.why if done.why else ''}",
            flush=True,
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
