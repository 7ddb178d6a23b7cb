"""Plain twin of filters/lines.py, over str."""

import re

BLANKS = " \t"


def width(line: str) -> int:
    line = line.rstrip(BLANKS)
    return sum(2 if (b := c.encode()[0]) >= 0xE3 and b != 0xEF else 1 for c in line)


def first_word(line: str) -> int:
    line = line.lstrip(BLANKS)
    word = 0
    for c in re.split(f"[{BLANKS}]", line)[0]:
        word += width(c)
        if width(c) == 2 or word >= 20:
            break
    return word


def opens_item(line: str) -> bool:
    return re.match(r"[ \t]*(\d{1,3}[.)]|[-*+][ \t]|•)", line, re.ASCII) is not None


def wrap_width(widths: list[int]) -> int:
    widths = [w for w in widths if w]
    best = (max(4, (len(widths) + 3) // 4) - 1, 0)
    for w in range(40, 121):
        surplus = sum(w - 10 < x <= w for x in widths) - sum(w < x <= w + 10 for x in widths)
        if surplus > best[0]:
            best = (surplus, w)
    return best[1]


def unwrap(text: str) -> list[str]:
    """The logical lines of a text; inner line ends are shown as \\n."""
    lines = text.splitlines()
    limit = wrap_width([width(line) for line in lines])
    out, going = [], False
    for j, line in enumerate(lines):
        if going:
            out[-1] += "\n" + line
        else:
            out.append(line)
        after = lines[j + 1] if j + 1 < len(lines) else ""
        fits = width(line) + 1 + first_word(after) <= limit - limit // 8
        going = 0 < width(line) <= limit and not fits and width(after) > 0 and not opens_item(after)
    return out
