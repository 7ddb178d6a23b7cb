"""Repeated paragraphs without blank lines: share of pasted ones that are cut, for text wrapped at several widths.

    python -m benchmarks.pasted_paragraphs CORPUS.jsonl.zst … [--pastes 300]

Each document gets a paragraph of another one at a random place. Then all paragraphs are wrapped and separated by single
line breaks. A pasted paragraph is found if nine tenths of its bytes are cut in one of its two places.
"""

import argparse
import random
import re
import tempfile
import textwrap
from functools import partial
from pathlib import Path

from benchmarks.near_duplicates import read
from benchmarks.repeats import FOUND, cut_spans
from gristmill.dedup.passages.repeated import RepeatedPassages

WIDTHS = (None, 60, 72, 80, 100)
LEAST, MOST = 150, 40  # characters of a paragraph, paragraphs of a document


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, by blank lines, or by lines if those are few."""
    found = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    found = found if len(found) > 4 else [" ".join(line.split()) for line in text.split("\n")]
    return list(dict.fromkeys(part for part in found if len(part) >= LEAST))[:MOST]


def share_found(documents: list[list[str]], pastes: int, width: int | None, folder: Path) -> float:
    """Return the share found of paragraphs that are pasted between pairs of documents."""
    wrap = partial(textwrap.fill, width=width, break_on_hyphens=False, break_long_words=False) if width else str
    draw, rows, places = random.Random(7), [], []
    for number in range(pastes):
        source, host = draw.sample(documents, 2)
        pasted = draw.choice([part for part in source if part not in host] or source)
        at = draw.randrange(len(host) + 1)
        for name, parts in (("source", source), ("host", [*host[:at], pasted, *host[at:]])):
            marked = [f"{number} {part}" if part != pasted else part for part in parts]  # no other paragraph repeats
            begin = marked.index(pasted)
            before = len("".join(wrap(part) + "\n" for part in marked[:begin]).encode())
            rows.append({"id": f"{number} {name}", "text": "\n".join(map(wrap, marked))})
            places.append((number, rows[-1]["id"], before, before + len(wrap(pasted).encode())))
    spans = cut_spans(RepeatedPassages(unit="paragraph"), rows, folder)[0]
    found = set()
    for number, id, begin, end in places:
        cut = sum(max(0, min(stop, end) - max(start, begin)) for start, stop in spans.get(id, ()))
        found |= {number} if cut >= FOUND * (end - begin) else set()
    return len(found) / pastes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--pastes", type=int, default=300, help="paragraphs to paste (default 300)")
    args = parser.parse_args()
    print("share of pasted paragraphs found, by wrap width")
    for path in args.corpora:
        documents = [parts for row in read(path) if len(parts := paragraphs(row["text"])) >= 4]
        shares = []
        for width in WIDTHS:
            with tempfile.TemporaryDirectory() as folder:
                shares.append(f"{width or 'none'}: {share_found(documents, args.pastes, width, Path(folder)):.3f}")
        print(f"{Path(path).name:<36}{'  '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
