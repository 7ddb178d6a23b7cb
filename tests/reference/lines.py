"""Plain twin of filters/text/lines.py, over str."""

import re
from itertools import pairwise

BLANKS = " \t"


def width(line: str) -> int:
    line = line.rstrip(BLANKS)
    return sum(2 if (lead := c.encode()[0]) >= 0xE3 and lead != 0xEF else 1 for c in line)


def first_word(line: str) -> int:
    word = 0
    for c in re.split(f"[{BLANKS}]", line.strip(BLANKS))[0]:
        word += width(c)
        if width(c) == 2 or word >= 20:
            break
    return word


def can_break(line: str) -> bool:
    return any(c in BLANKS or width(c) == 2 for c in line.strip(BLANKS))


def opens_item(line: str) -> bool:
    return re.match(r"(\d{1,3}[.)]|[-*+][ \t]|•)", line.strip(BLANKS), re.ASCII) is not None


def wrap_width(widths: list[int]) -> int:
    widths = [w for w in widths if w]
    best, found = max(4, (len(widths) + 3) // 4) - 1, 0
    for w in range(40, 121):
        surplus = sum(w - 10 < x <= w for x in widths) - sum(w < x <= w + 10 for x in widths)
        if surplus > best:
            best, found = surplus, w
    return found


def wraps(text: str) -> list[bool]:
    """Of each line: does it go on in the next one?"""
    lines = text.splitlines()
    limit = wrap_width([width(line) for line in lines]) if len(lines) >= 4 else 0
    answer = [False] * len(lines)
    for j, (line, after) in enumerate(pairwise(lines)):
        long = limit // 2 < width(line) <= limit
        full = width(line) + 1 + first_word(after) > limit - limit // 8
        answer[j] = long and full and width(after) > 0 and can_break(line) and not opens_item(after)
    return answer


def unwrap(text: str) -> list[str]:
    """The logical lines of a text, the line ends inside them as they are."""
    out, going = [], False
    for line, goes_on in zip(text.splitlines(keepends=True), wraps(text), strict=True):
        if going:
            out[-1] += line
        else:
            out.append(line)
        going = goes_on
    return [without_end(line) for line in out]


def without_end(line: str) -> str:
    """A line without the one line end behind it."""
    whole = line.splitlines(keepends=True)
    return line[: len(line) - len(whole[-1])] + whole[-1].splitlines()[0]
