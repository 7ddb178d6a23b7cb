"""Prepare an input from the development data: ``python -m benchmarks.inputs DATA TARGET NUMBER``.

The name of TARGET selects the input:

- ``english-<MB>.jsonl``: English documents;
- ``mixed-<MB>.jsonl``: messy documents in all languages;
- ``pages-<MB>.jsonl``: HTML pages, in the field html;
- ``messy-<times>.jsonl.zst``: copies of the messy documents;
- ``evaluation.jsonl``: items of evaluation sets, as they are;
- ``bad-words.txt``: C4's English bad words.

The number of text bytes is written to ``<name>.bytes``. Documents are in the order of their ids' hashes.
"""

import hashlib
import io
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import orjson
import zstandard
from upath import UPath

from gristmill.pipelines.storage.files import atomic_write

# Characters; an uncut novel would be a tenth of the input, and no crawl contains a novel as one document.
LONGEST = 50_000
MEGABYTE = 1_000_000
WEB = ("web_html_trafilatura", "web_html_readability")
PROSE = ("prose_anarchism", "prose_factbook", "prose_novels", "prose_small", "prose_speeches", "prose_wikitext2")


def read(data: Path, name: str) -> Iterator[dict]:
    with (data / f"{name}.jsonl.zst").open("rb") as file:
        for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file)):
            yield orjson.loads(line)


def english(data: Path) -> list[tuple[str, str]]:
    texts = [(row["id"], row["text"]) for row in read(data, "messy") if row["labels"]["language"] == "en"]
    texts += [(row["id"], row["text"]) for name in PROSE for row in read(data, name)]
    return texts + [(row["id"], text) for row in _english_pages(data) if (text := _extracted(row["html"]))]


def cut(documents: list[tuple[str, str]], megabytes: float) -> Iterator[tuple[str, str]]:
    """Yield id and text in the order of the ids' hashes, up to the given number of megabytes."""
    room = megabytes * MEGABYTE
    for id, text in sorted(documents, key=lambda document: hashlib.sha256(document[0].encode()).digest()):
        text = text[:LONGEST]
        room -= len(text.encode())
        if room < 0:
            return
        yield id, text


def _english_pages(data: Path) -> Iterator[dict]:
    return (row for name in WEB for row in read(data, name) if row["language"] == "en")


def _extracted(html: str) -> str | None:
    from trafilatura import extract

    return extract(html)


def messy(data: Path, times: int) -> Iterator[tuple[str, str]]:
    """Yield all documents ``times`` times; each copy begins with its number, so that it is no exact duplicate."""
    for copy in range(times):
        for row in read(data, "messy"):
            yield (f"{copy}-{row['id']}", f"{copy}\n{row['text']}") if copy else (row["id"], row["text"])


def write_documents(target: Path, documents: Iterator[tuple[str, str]], field: str = "text") -> None:
    size = 0
    with atomic_write(UPath(target)) as file, _compressed(target, file) as output:
        for id, text in documents:
            output.write(orjson.dumps({"id": id, field: text}, option=orjson.OPT_APPEND_NEWLINE))
            size += len(text.encode())
        target.with_name(target.name + ".bytes").write_text(f"{size}\n")


def _compressed(target: Path, file: BinaryIO):
    if target.suffix != ".zst":
        return nullcontext(file)
    return zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False)


def main(data: Path, target: Path, number: float) -> None:
    if not data.is_dir():
        sys.exit(f"no development data at {data}; set GRISTMILL_SHARED_DATA to its folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    kind = target.name.partition("-")[0]
    if kind == "bad":
        lists = {row["language"]: row["text"] for row in read(data, "badwords")}
        target.write_text(lists["en"])
    elif kind == "evaluation.jsonl":
        target.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in read(data, "eval_benchmarks")))
    elif kind == "messy":
        write_documents(target, messy(data, int(number)))
    elif kind == "pages":
        found = [(row["id"], row["html"]) for name in WEB for row in read(data, name)]
        write_documents(target, cut(found, number), "html")
    else:
        found = english(data) if kind == "english" else list(messy(data, 1))
        write_documents(target, cut(found, number))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
