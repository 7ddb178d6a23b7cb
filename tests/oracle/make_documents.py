"""Documents to ask datatrove about, and its answers, as tests/golden/datatrove.jsonl.zst holds them.

    python -m tests.oracle.make_documents > documents.jsonl
    build/peers/.venv/bin/python tests/oracle/datatrove_oracle.py documents.jsonl answers.jsonl
    python -m tests.oracle.make_documents documents.jsonl answers.jsonl tests/golden/datatrove.jsonl.zst

Small ones around each threshold, and random ones of everything that text processing trips over; all made here.
"""

import json
import random
import sys
from pathlib import Path

import zstandard

SPACES = [*" \n\t\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"]
SPACES += ["\n\n", "  ", "\r\n", " \n", "\n ", " \u2028"]
MARKS = [*".,;:!?'\"()[]{}<>#*-_/\\|@&%$^~`+=…—–’“”•‣。？！،؟।\u061e\U00011944\0\x07\x7f\x9d\u0301\u200d\ufffd１"]
MARKS += ["％"]
EXCEPTIONS = """:) ): :-( 8) e.g. i.e. Mr. it's don't can't U.S.A. a.m. 10p.m. o.O C++ 'em ’s it’s '' `` (59): x: foo:)
site(s): </3 and/or w/o id. vs. X PERSON http://a.b/c?d=1 me@a.org $3.50 10km 3-4 COVID-19 a--b Mr.Smith
note: (:]x ..."""
WORDS = """the The be to of and that have with a mill grain turns bread river
Straße naïve мельница 磨坊 水車小屋 โรงสี مطحنة 한국어 चक्की 12 1,234.5 ½ Ⅷ ٣ 😀 👩‍🌾"""
EXCEPTIONS, WORDS = EXCEPTIONS.split(), WORDS.split()
PHRASES = [
    "javascript",
    "JavaScript",
    "lorem ipsum",
    "Lorem\u00a0ipsum",
    "terms of use",
    "use coo\u212aies",
    "cookie policy",
]
PHRASES += [
    "[1]",
    "[]",
    "[٣]",
    "[edit]",
    "[citation needed]",
    "[a]",
    "a[3]",
    "lorem[1] ipsum",
    "java[2]script",
    "{",
    "[[1]]",
]
LINES = [
    "",
    " ",
    "- item one",
    "• item",
    "* star",
    "Read more...",
    "And so on…",
    "He said so. ",
    "One two three.",
    "Short.",
]
LINES += ["“Quoted it is.”", 'He said "yes"', "It was so [1].", "It was so.[1]", "It was so. [1]", "[1] [2] [3]"]
LINES += ['Hello!  "What"', "x" * 1001]
CURSED = ["a IS_ALPHA b", "(IS_ALPHA).", "xIS_ALPHAy", "token.IS_ALPHA, IS_ALPHA"]  # see filters/words/spacy_chunks.py


def prose(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(WORDS[:15]) for _ in range(words))


def sentences(rng: random.Random, count: int) -> str:
    return " ".join(prose(rng, rng.randint(3, 12)).capitalize() + rng.choice(".....!?") for _ in range(count))


def unlike(start: int, count: int) -> str:
    return " ".join(f"w{i:03d}" for i in range(start, start + count))


def repeats():
    """n words come again among others, a little more and a little less often than each rule allows."""
    for n, share in ((2, 0.2), (3, 0.18), (4, 0.16), *((n, 0.2 - n / 100) for n in range(5, 11))):
        for others in range(int(1.2 * n / share), int(2.6 * n / share), max(1, n // 3)):
            half = others // 2
            yield " ".join([unlike(0, n), unlike(100, half), unlike(0, n), unlike(100 + half, others - half)])
    for n in range(4):
        line = "This line of many words comes again, and it is long enough to weigh more than all of the others. "
        yield "\n\n".join([line, *(f"Other {i}" for i in range(4)), *[line] * n])
        yield "\n".join([line, *(f"Other {i}" for i in range(4)), *[line] * n])
        yield unlike(0, 60) + " the of" + " ... and" * (5 + n) + "…" * n
        yield "\n\n".join([*(f"Paragraph {i} of {unlike(10 * i, 4)}" for i in range(5)), *["twice"] * 2 * n])
    yield "the of word " * 33_334
    yield from CURSED


def thresholds(rng: random.Random):
    """Both sides of what rules count."""
    for n in (0, 1, 2, 4, 5, 9, 10, 49, 50, 51):
        yield " ".join(f"the{i} of" for i in range(n))
        yield prose(rng, n)
        yield "\n".join(["One mill turns. "] * n)
    for n in range(6):
        distinct = [
            f"Line {i} holds {'abcdefgh'[i % 8] * (1 + i)} words of its own, and one full stop." for i in range(20)
        ]
        yield "\n".join(distinct + [distinct[0]] * n)
        yield "\n\n".join(distinct + [distinct[0]] * n)
        yield "\n".join(distinct[: n + 2])
        yield "\n" * n + distinct[0] + "\n" * n
        yield sentences(rng, n) + "\n" + distinct[3] * (n > 2)
        yield " ".join(distinct[:6]) + " #" * (4 * n) + " ..." * (2 * n) + "......" * n
        yield "\n".join(["- " + line for line in distinct[: 20 - n]] + ["no item at all."] * n)
        yield "\n".join([line + "..." for line in distinct[: 4 + n]] + distinct[10:])
        yield "\n".join(line[: 28 + n] for line in distinct)
        yield " ".join(["ab", "abcdefghijklmn"][i % 2] for i in range(60 + n))
        yield " ".join(["12", "..", "34"] * 4 * n) + " " + prose(rng, 50)
        yield "a bc d e f g ab c d e f g " * n + prose(rng, 40)
        yield prose(rng, 10) + " " + " ".join(["turn the mill of bread to river"] * n) + " " + prose(rng, 10 * n)


def anything(rng: random.Random):
    """Random texts, from a few pieces to pages of prose with things thrown in."""
    for size in [3] * 60 + [12] * 60 + [40] * 40:
        pieces = rng.choices(SPACES + MARKS + EXCEPTIONS + WORDS + PHRASES, k=rng.randint(0, size))
        yield "".join(pieces)
        yield " ".join(pieces)
    for _ in range(60):
        pieces = rng.choices(EXCEPTIONS + MARKS[:32], k=12)
        yield "".join(piece + rng.choice(["", "", " ", " ", "\n"]) for piece in pieces)
    for _ in range(120):
        lines = [sentences(rng, rng.randint(1, 4)) for _ in range(rng.randint(2, 12))]
        for _ in range(rng.randint(0, 4)):
            lines.insert(rng.randrange(len(lines) + 1), rng.choice([*LINES, *PHRASES, rng.choice(lines)]))
        for _ in range(rng.randint(0, 3)):
            row = rng.randrange(len(lines))
            at = rng.randrange(len(lines[row]) + 1)
            lines[row] = lines[row][:at] + rng.choice(SPACES + MARKS + EXCEPTIONS + PHRASES) + lines[row][at:]
        yield rng.choice(["\n", "\n", "\n\n", "\r\n", "\r", "\u2028", " \n "]).join(lines) + rng.choice(
            ["", "\n", " ", "\n\n"]
        )


def documents():
    rng = random.Random(7)
    texts = dict.fromkeys([*thresholds(rng), *repeats(), *anything(rng)])
    for number, text in enumerate(texts):
        yield json.dumps({"id": f"made-{number:04d}", "text": text})


def main(paths: list[str]) -> None:
    if not paths:
        print("\n".join(documents()))
        return
    made, answers, golden = map(Path, paths)
    rows = zip(made.read_text().splitlines(), answers.read_text().splitlines(), strict=True)
    lines = "".join(json.dumps({**json.loads(row), **json.loads(answer)}) + "\n" for row, answer in rows)
    golden.parent.mkdir(exist_ok=True)
    golden.write_bytes(zstandard.ZstdCompressor(19).compress(lines.encode()))


if __name__ == "__main__":
    main(sys.argv[1:])
