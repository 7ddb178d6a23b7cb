"""Peak memory of `gristmill clean clean-corpus`: ``python -m benchmarks.memory DATA [--only WORD]``.

DATA is the folder of development data. Inputs: 5, 50 and 500 MB of text, made of copies of the messy documents in
alphabets of their own (benchmarks.scaling), and the inputs that took most memory for their size. The table has the
peak of the largest process of each run with two workers; the exit code is 1 if one needs a gigabyte.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import orjson

from benchmarks.harness import Side, run
from benchmarks.inputs import MEGABYTE, read
from benchmarks.scaling import alphabet, translate

MAX_PEAK = 1_000_000_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def text_lines(data: Path, megabytes: int) -> Iterator[bytes]:
    """Yield JSON lines with so much text."""
    room, rows = megabytes * MEGABYTE, list(read(data, "messy"))
    for copy in count():
        table = alphabet(copy)
        for row in rows:
            text = translate(row["text"], table)
            yield orjson.dumps({"id": f"{copy}/{row['id']}", "text": text}, option=orjson.OPT_APPEND_NEWLINE)
            room -= len(text.encode())
            if room < 0:
                return


def two_letters(lines: int) -> Iterator[bytes]:
    """Yield lines of two letters."""
    draw = Random(1)
    for _ in range(lines // 1000):
        letters = draw.choices(LETTERS, k=2000)
        yield "".join(f"{a}{b}\n" for a, b in zip(letters[::2], letters[1::2], strict=True)).encode()


def long_texts(megabytes: int) -> Iterator[bytes]:
    """Yield JSON lines of texts of 2 million lines of two letters, few lines below the limit of a document."""
    for _ in range(megabytes // 6):
        text = b"".join(two_letters(2 * MEGABYTE)).decode()
        yield orjson.dumps({"text": text}, option=orjson.OPT_APPEND_NEWLINE)


def wide_rows(columns: int, rows: int) -> Iterator[bytes]:
    """Yield a CSV file of numbers, the first of each row being its text."""
    yield ",".join(["text", *(f"c{i}" for i in range(columns - 1))]).encode() + b"\n"
    for row in range(rows):
        yield ",".join(str(10 + (row + i) % 90) for i in range(columns)).encode() + b"\n"


def inputs(data: Path) -> dict[str, tuple[str, Callable[[], Iterator[bytes]], tuple[str, ...]]]:
    """Return name -> file name, its contents, settings."""
    by_line = ('--set=input.separator="\\n"',)
    return {
        **{f"{n} MB of text": ("a.jsonl", partial(text_lines, data, n), ()) for n in (5, 50, 500)},
        "1,000,000 empty documents": ("a.jsonl", lambda: iter([b'{"text":""}\n' * MEGABYTE]), ()),
        "45 MB of two-letter documents": ("a.txt", partial(two_letters, 15 * MEGABYTE), by_line),
        "48 MB of two-letter lines": ("a.jsonl", partial(long_texts, 48), ()),
        "10,000 columns, 3,000 rows": ("a.csv", partial(wide_rows, 10_000, 3000), ()),
        "60 MB of one letter": ("a.txt", lambda: iter([b"a" * (60 * MEGABYTE)]), ()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", metavar="WORD", help="run only the inputs whose names contain WORD")
    arguments = parser.parse_args()
    largest = 0
    print("| input | MB | seconds | peak MB |\n| --- | ---: | ---: | ---: |", flush=True)
    for name, (file, contents, settings) in inputs(arguments.data).items():
        if arguments.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            with path.open("wb") as raw:
                raw.writelines(contents())
            command = [sys.executable, "-m", "gristmill", "clean", "clean-corpus", "--input", str(path)]
            command += ["--output", f"{folder}/work", "--workers", "2", *settings]
            used, size = run(Side(command=tuple(command))), path.stat().st_size
        print(f"| {name} | {size / 1e6:.0f} | {used.wall:.0f} | {used.peak / 1e6:,.0f} |", flush=True)
        largest = max(largest, used.peak)
    sys.exit(largest >= MAX_PEAK)


if __name__ == "__main__":
    main()
