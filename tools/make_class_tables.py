"""Write ``tokenizers_lab/pretokenize/class_tables.py``: the character classes of pre-tokenizers, as run lengths.

    python -m tools.make_class_tables

The classes are those of Unicode 16.0, which tokenizers 0.23 and tiktoken 0.14 use, from ``unicodedata2==16.0.0`` (a
development dependency). BERT's punctuation is older: the 726 characters that tokenizers 0.23.3 isolates.
"""

import unicodedata2 as unicode
from tokenizers.pre_tokenizers import BertPreTokenizer

from gristmill.tokenizers_lab.pretokenize.classes import (
    LETTER,
    LOWER,
    MARK,
    NEWLINE,
    NUMBER,
    OTHER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UPPER,
)
from tools.make_unicode_tables import CODE_POINTS, ROOT, runs

CATEGORY = {"Ll": LOWER, "Lu": UPPER, "Lt": UPPER}
MAJOR = {"L": LETTER, "M": MARK, "N": NUMBER, "P": PUNCTUATION, "S": SYMBOL, "Z": SPACE, "C": OTHER}
WHITE = {"\t": SPACE, "\n": NEWLINE, "\v": SPACE, "\f": SPACE, "\r": NEWLINE, "\x85": SPACE}  # with Z: ``\s``


def kind(code: int) -> int:
    """Return the class of a code point, as named in tokenizers_lab/pretokenize/classes.py."""
    category = unicode.category(chr(code))
    return WHITE.get(chr(code)) or CATEGORY.get(category) or MAJOR[category[0]]


def is_bert_punctuation(code: int) -> int:
    """Return 1 if BERT's pre-tokenizer isolates the character; 0 for surrogates, which are no characters."""
    return int(not 0xD800 <= code < 0xE000 and len(BertPreTokenizer().pre_tokenize_str(f"a{chr(code)}a")) == 3)


def main() -> None:
    kinds = [kind(code) for code in range(CODE_POINTS)]
    punctuation = [is_bert_punctuation(code) for code in range(CODE_POINTS)]
    (ROOT / "tokenizers_lab" / "pretokenize" / "class_tables.py").write_text(
        f'"""Unicode {unicode.unidata_version}, written by tools/make_class_tables.py; do not edit."""\n\n'
        f'# Class of each code point (names in classes.py), as "run length:class".\n'
        f'KINDS = """\n{runs(kinds)}\n"""\n\n'
        f'# Punctuation of BERT.\nBERT_PUNCTUATION = """\n{runs(punctuation)}\n"""\n',
        "utf-8",
    )


if __name__ == "__main__":
    main()
