"""Sentences, lines and paragraphs by regular expressions: the twin of dedup/passages/split.py and wrapping.py."""

import re

from tests.reference.shingles import is_spaceless

SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
BREAK = "\r\n|[\n\v\f\r\x85\u2028\u2029]"
CLOSING = re.escape("\"')]}»”’」』）")
STOPPED = re.compile(f"[.!?…。！？][{CLOSING}]*$")
WIDE_STOPPED = re.compile(f"[。！？][{CLOSING}]*$")


def width(text: str) -> int:
    """Columns of a line without white space at its end."""
    return sum(1 + is_spaceless(character) for character in re.sub(f"{SPACE}$", "", text))


def first_word(line: str) -> int:
    """Columns of the first word, or of the first character if its script has no spaces."""
    word = re.split(SPACE, re.sub(f"^{SPACE}", "", line))[0]
    for i, character in enumerate(word):
        if is_spaceless(character):
            return width(word[: max(i, 1)])
    return width(word)


def wrap_width(widths: list[int]) -> int:
    counts = [widths.count(each) for each in range(131)]
    surplus = {w: sum(counts[w - 9 : w + 1]) - sum(counts[w + 1 : w + 11]) for w in range(40, 121)}
    found = max(surplus, key=surplus.get)
    return found if surplus[found] >= max(4, len(widths) / 4) else 0


def paragraphs_of_block(lines: list[str]) -> list[list[str]]:
    """Group the lines of a block, none of which is blank."""
    widths, wrap = list(map(width, lines)), 0
    each_line = 2 * sum(w for w in widths if w > 120) > sum(widths)

    def fits(k, limit):
        return max(widths[k], widths[k + 1]) > 120 or widths[k] + 1 + first_word(lines[k + 1]) <= limit

    pairs = range(len(lines) - 1)
    if not each_line:
        wrap = wrap_width(widths)
        if not wrap or not any(fits(k, wrap - wrap // 8) for k in pairs):
            return [lines]
    found = [lines[:1]]
    for k in pairs:
        if each_line or fits(k, wrap) or STOPPED.search(re.sub(f"{SPACE}$", "", lines[k])):
            found.append([])
        found[-1].append(lines[k + 1])
    return found


def paragraphs(text: str) -> list[str]:
    pieces, block, found = re.split(f"({BREAK})", text), [], []
    for line, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        if width(line):
            block.append((line, end))
        if block and (not width(line) or not end):
            ends = iter(block)
            for some in paragraphs_of_block([line for line, _ in block]):
                found.append("".join("".join(next(ends)) for _ in some))
            block = []
    return [re.sub(f"^{SPACE}|{SPACE}$", "", each) for each in found]


def passages(text: str, kind: str) -> list[str]:
    if kind == "paragraph":
        return paragraphs(text)
    found, current = [], ""
    for piece in re.split(f"({SPACE})", text):
        if re.fullmatch(SPACE, piece):
            if re.search(BREAK, piece) or (kind == "sentence" and STOPPED.search(current)):
                found.append(current)
                current = ""
            else:
                current += piece if current else ""
            continue
        for character in piece:
            if kind == "sentence" and WIDE_STOPPED.search(current) and not re.match(f"[。！？{CLOSING}]", character):
                found.append(current)
                current = ""
            current += character
    found.append(re.sub(f"{SPACE}$", "", current))
    return [passage for passage in found if passage]
