"""Texts on which an imported tokenizer is compared with its library, before anybody uses it."""

import random
from collections.abc import Sequence
from functools import cache

import numpy as np

from gristmill.pipelines.kernels.utf8 import expand_runs
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.pretokenize.class_tables import KINDS

SENTENCES = [
    *("", " ", "The mill grinds slowly, but it grinds.", "  two  spaces, a\ttab\nand lines\n\n"),
    *("I'll they'RE 1234567 3.14", "def f(x): return x**2", "naïve café Straße", "Привет, мир", "漢字かな交じり文"),
    *("안녕하세요", "สวัสดีชาวโลก", "مرحبا بالعالم", "\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea"),
]
FRAGMENTS = [
    *(
        "a",
        "the",
        "The",
        "MILL",
        "grinds",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ǅ",
        "'s",
        "'LL",
        "'\u017f",
        "x1",
        "1",
        "12",
        "12345",
    ),
    *(
        " ",
        "  ",
        "    ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        "\r",
        " \n ",
        "\x85",
        "\xa0",
        "\u2028",
        "\u3000",
        "\u200b",
        "\u200d",
    ),
    *(
        ".",
        ",",
        "...",
        "!?",
        "(",
        ")",
        "{}",
        "->",
        "==",
        "#",
        "##",
        "_",
        "/",
        "\\",
        "|",
        "`",
        "``",
        "''",
        '"',
        "$",
        "~",
    ),
    *("漢", "字", "カ", "ｶﾞ", "한", "한", "ж", "Ж", "ά", "ع", "َ", "ไ", "่", "क", "ि", "्", "ѐ", "①", "½", "²", "Ⅷ"),
    *(
        "\U0001f469",
        "\u200d\U0001f467",
        "\U0001f1e9",
        "\ufe0f",
        "\U0001f3fd",
        "\0",
        "\x01",
        "\x7f",
        "\ufeff",
        "\ufffd",
        "\u061c",
    ),
    *(
        "▁",
        "▁▁",
        "Ġ",
        "Ċ",
        "</w>",
        "<0x0A>",
        "。",
        "，",
        "、",
        "؟",
        "।",
        "…",
        "—",
        "“",
        "﷽",
        "ﬁ",
        "Å",
        "\u0344",
        "\U0001d166",
    ),
]
SAMPLE_BYTES = 5_000_000
RANDOM_TEXTS, PIECES, SWEEP = 1500, 4000, 24  # pieces that are encoded as text; code points of one text of the sweep


def battery(model: Model) -> list[str]:
    """Return the texts: sentences, mixtures of odd fragments and special tokens, the pieces, and characters.

    Of the characters there are all at whose number the Unicode class changes, and all below U+3400.
    """
    rng = random.Random(7)
    tokens = [token.content for token in model.added_tokens][:2000]
    fragments = FRAGMENTS + rng.sample(tokens, min(len(tokens), 60))
    texts = [*SENTENCES, *("".join(rng.choices(fragments, k=rng.randint(1, 24))) for _ in range(RANDOM_TEXTS))]
    for token in tokens:
        texts += [token, f"a {token} b", f"{token}{token}", f"\n {token}\n x"]
    known = [piece.decode("utf-8", "ignore") for piece in model.pieces[:: max(1, model.size // PIECES)]]
    texts += known + ["".join(rng.choices(known, k=5)) for _ in range(500)] if known else []
    texts += ["a" * 300 + " " * 300 + "\n" * 40, "ab" * 2000, "é" * 600, "漢" * 300]
    return texts + list(_characters())


def sample(corpus: Sequence[str]) -> list[str]:
    """Return a few sentences in many scripts, and the first megabytes of a corpus."""
    from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
    from gristmill.pipelines.schema import TEXT

    texts, size = [*SENTENCES], 0
    for table in read_documents([*corpus], InputSettings()) if corpus else ():
        for text in table[TEXT].to_pylist():
            if size < SAMPLE_BYTES:
                texts.append(text)
                size += len(text)
    return texts


@cache
def _characters() -> Sequence[str]:
    kinds = expand_runs(KINDS, np.uint8)
    edges = np.flatnonzero(np.diff(kinds))
    codes = sorted({*range(0x3400), *edges.tolist(), *(edges + 1).tolist(), *(edges + 2).tolist()})
    good = [chr(code) for code in codes if not 0xD800 <= code < 0xE000 and code < 0x110000]
    contexts = "a{}b", " {}", "{} 1"
    groups = [good[i : i + SWEEP] for i in range(0, len(good), SWEEP)]
    return ["".join(context.format(c) for c in group) for group in groups for context in contexts]
