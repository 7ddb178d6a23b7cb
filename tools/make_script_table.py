"""Write ``tokenizers_lab/unigram/script_table.py``: the scripts of SentencePiece, as run lengths.

    python -m tools.make_script_table
    sentencepiece-0.2.3/sentencepiece/src/unicode_script_map.h

The header is in sentencepiece's source package (Apache-2.0). It is older than Unicode 16.0, but the table must agree
with the library. Hiragana, Katakana and the long vowel mark ー are Han there (trainer_interface.cc,
IsValidSentencePiece).
"""

import re
import sys
from pathlib import Path

from gristmill.tokenizers_lab.unigram.scripts import ANY
from tools.make_unicode_tables import CODE_POINTS, ROOT, runs

ENTRY = re.compile(
    r"for \(char32_t c = (0x\w+); c <= (0x\w+); \+\+c\) \(\*smap\)\[c\] = U_(\w+)|\(\*smap\)\[(0x\w+)\] = U_(\w+)"
)


def scripts(header: str) -> list[int]:
    """Return the script of each code point: ANY if it takes that of its neighbor, else a number from 1 on."""
    names = ["Common"] * CODE_POINTS
    for first, last, name, only, its in ENTRY.findall(header):
        begin, end = (first, last) if first else (only, only)
        for code in range(int(begin, 16), int(end, 16) + 1):
            names[code] = "Han" if (name or its) in ("Hiragana", "Katakana") else name or its
    names[0x30FC] = "Han"
    numbers = {"Inherited": ANY, "Common": 1}
    for name in names:
        numbers.setdefault(name, len(numbers))
    return [numbers[name] for name in names]


def main(header: str) -> None:
    (ROOT / "tokenizers_lab" / "unigram" / "script_table.py").write_text(
        '"""Scripts of SentencePiece 0.2.3, written by tools/make_script_table.py; do not edit."""\n\n'
        '# Script of each code point, as "run length:script"; 0 takes the script of its neighbor.\n'
        f'SCRIPTS = """\n{runs(scripts(Path(header).read_text("utf-8")))}\n"""\n',
        "utf-8",
    )


if __name__ == "__main__":
    main(sys.argv[1])
