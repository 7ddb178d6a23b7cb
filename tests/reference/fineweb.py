"""Plain twin of filters/rules/fineweb.py, over str."""

import re

from reference.lines import BLANKS, unwrap, width
from reference.marks import ends_sentence

from gristmill.filters.rules.fineweb import FineWeb


def is_chinese(line: str) -> bool:
    return bool(re.search("[\u4000-\u9fff]", line)) and not re.search("[\u3040-\u30ff\ua000-\udfff]", line)


def measure(text: str, words: int, settings: FineWeb) -> dict[str, float]:
    lines = [line.strip(BLANKS) for line in unwrap(text) if line.strip(BLANKS)]
    short = sum(width(line) <= settings.short_line_width and not is_chinese(line) for line in lines)
    seen, repeated, total = set(), 0, 0
    for line in (line.strip(BLANKS) for line in text.splitlines()):
        repeated += len(line.encode()) * (line in seen)
        total += len(line.encode())
        seen.add(line)
    return {
        "lines": len(lines),
        "line_punct_ratio": sum(map(ends_sentence, lines)) / len(lines) if lines else 1.0,
        "short_line_ratio": short / max(len(lines), 1),
        "char_dup_ratio": repeated / max(total, 1),
        "list_ratio": len(lines) / max(words, 1),
    }
