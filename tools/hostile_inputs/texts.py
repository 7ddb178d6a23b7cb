"""Hostile texts: for filters, for scans of personal data, and for steps that compare documents."""

import json
from functools import partial

from tools.hostile_inputs.raw import WORDS, Kind, Raw

SIZE = 1_000_000  # characters
LONG = 60_000_000

# Units that are repeated into one text.
REPEATED = {
    "one letter": "a",
    "letters and spaces": "a ",
    "one letter per line": "a\n",
    "combining marks": "\u0301",
    "letter with nine marks": "a" + "\u0301" * 9,
    "emoji joined by ZWJ": "\U0001f469\u200d",
    "right-to-left marks": "\u200f",
    "embeddings left open": "\u202b",
    "Hangul jamo": "\u1100\u1161",
    "tag characters": "\U000e0041",
    "mojibake": "\u00e2\u20ac\u2122",
    "Han": "\u5b57",
    "opening brackets": "(",
    "pairs of brackets": "()",
    "angle brackets": "<",
    "open tags": "<div>",
    "open comments": "<!-- ",
    "open templates": "{{",
    "entities": "&amp;",
    "dots": ". ",
    "IP addresses": "1.1.1.1 ",
    "digits": "1",
    "digits and hyphens": "1-",
    "at signs": "@",
    "e-mail addresses": "a@b.org ",
    "e-mail without end": "a.b-c@",
    "URLs without end": "http://",
    "phone numbers": "+49 30 123456 ",
    "IBANs": "DE89370400440532013000 ",
    "card numbers": "4111 1111 1111 1111 ",
    "colons": "::",
    "private keys left open": "-----BEGIN RSA PRIVATE KEY-----\n",
    "Base64": "QUJD",
    "quotation marks": "\u201c",
    "table rows": "| a | b |\n",
    "list items": "* a\n",
    "citations left open": "[1",
    "links left open": "[a](",
    "abbreviations": "e.g. ",
    "hyphens at line ends": "ab-\ncd ",
    "one sentence": "The mill grinds grain. ",
    "lines that end nowhere": "the of\u2028",
}
# Each is the only text of 60 MB.
HUGE = {"60 MB of one letter": "a", "60 MB of spaces": " ", "60 MB of marks": "\u0301", "60 MB of short lines": "a\n"}


def texts(raw: Raw, *several: str) -> None:
    """Write some texts as JSON lines."""
    raw.write("bad.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in several))


def repeated(raw: Raw, unit: str) -> None:
    """Write a text of 1,000,000 characters."""
    texts(raw, unit * (SIZE // len(unit)))


def huge(raw: Raw, unit: str) -> None:
    """Write a text of 60 MB, longer documents being rejects."""
    raw.write("bad.txt", unit * (LONG // len(unit.encode())))


def fibonacci(raw: Raw) -> None:
    """Write a text in which every part repeats, but at no fixed distance."""
    short, text = "a ", "b a "
    while len(text) < SIZE:
        short, text = text, text + short
    texts(raw, text)


def words_of_all_lengths(raw: Raw) -> None:
    """Write a text of words of 1, 2, 3, … letters."""
    texts(raw, " ".join("a" * size for size in range(1400)))


def nearly_equal(raw: Raw) -> None:
    """Write 3,000 texts of which any two are near-duplicates."""
    words = WORDS.split() * 5
    texts(raw, *(" ".join([*words[:k], f"word{i}", *words[k:]]) for i in range(3000) for k in [i % len(words)]))


def one_bucket(raw: Raw) -> None:
    """Write 3,000 texts that share half of their words: candidates, but no duplicates."""
    shared = WORDS.split() * 3
    texts(raw, *(" ".join(shared + [f"{i}x{k}" for k in range(len(shared))]) for i in range(3000)))


KINDS: dict[str, Kind] = {
    **{name: Kind(partial(repeated, unit=unit)) for name, unit in REPEATED.items()},
    **{name: Kind(partial(huge, unit=unit)) for name, unit in HUGE.items()},
    "Fibonacci words": Kind(fibonacci),
    "words of all lengths": Kind(words_of_all_lengths),
    "nested brackets": Kind(lambda raw: texts(raw, "(" * (SIZE // 2) + ")" * (SIZE // 2))),
    "nested quotations": Kind(lambda raw: texts(raw, "\u201c" * (SIZE // 2) + "\u201d" * (SIZE // 2))),
    "e-mail of 1 MB": Kind(lambda raw: texts(raw, "a." * (SIZE // 4) + "@" + "b." * (SIZE // 4))),
    "URL of 1 MB": Kind(lambda raw: texts(raw, "http://a.b/" + "c" * SIZE)),
    "20,000 equal texts": Kind(lambda raw: texts(raw, *["The mill grinds grain into flour."] * 20_000)),
    "3,000 near-duplicates": Kind(nearly_equal),
    "3,000 texts half alike": Kind(one_bucket),
    "100,000 equal lines": Kind(lambda raw: texts(raw, *["The mill grinds grain into flour.\n" * 10_000] * 10)),
}
