"""Plain twin of filters/rules/menus.py and notices.py, over str."""

import re

from reference.lines import BLANKS, width
from reference.marks import ends_sentence

from gristmill.filters.rules.menus import LONG
from gristmill.filters.rules.notices import READER


def is_notice(line: str, hits: int) -> bool:
    words = len([run for run in re.split("[\x00-\x20]+", line) if re.search("[A-Za-z\x80-\U0010ffff]", run)])
    reader = sum(word.lower() in READER.split() for word in re.findall("[A-Za-z\x80-\U0010ffff]+", line))
    return hits > 0 and words <= 12 * (hits + reader)


def word_count(line: str) -> int:
    return sum(-(-sum(map(width_of, run)) // 16) for run in re.split("[\x00-\x20]+", line))


def width_of(character: str) -> int:
    """In columns of which a word has 16."""
    return {0: 0, 1: 1, 2: 8}[width("x" + character + "x") - 2]


def is_short(line: str, min_words: int) -> bool:
    stripped = line.strip(BLANKS)
    short = len(stripped.encode()) <= 64 * min_words and word_count(stripped) < min_words
    return short and line[:1] not in BLANKS and not ends_sentence(stripped)


def is_marked(line: str) -> bool:
    stripped = line.strip(BLANKS)
    underline = len(stripped) >= 3 and len(set(stripped)) == 1 and not re.match("[A-Za-z0-9\x80-\U0010ffff]", stripped)
    return line[0] in BLANKS or stripped[0] in "#./*=@<$%})];&\\`_" or stripped[-1] in "{};,(\\" or underline


def is_figure(line: str) -> bool:
    return bool(re.search("[0-9]", line)) and not re.search("[A-Za-z\x80-\U0010ffff]", line)


def is_capital(line: str) -> bool:
    return bool(re.match("[A-Z\x80-\U0010ffff]", line.strip(BLANKS)))


def is_blank(line: str) -> bool:
    return line.strip(BLANKS) == ""


def is_marked_up(lines: list[str]) -> bool:
    marked = [is_marked(line) for line in lines if not is_blank(line)]
    return 100 * sum(marked) >= 15 * len(marked)


def runs_of_short(lines: list[str], gone: list[bool], min_words: int) -> list[list[int]]:
    """Numbers of short lines that stand together; blank and removed lines between them do not part them."""
    runs = [[]]
    for j, line in enumerate(lines):
        if is_blank(line) or gone[j]:
            continue
        if is_short(line, min_words):
            runs[-1].append(j)
        else:
            runs.append([])
    return [run for run in runs if run]


def is_menu(lines: list[str], gone: list[bool], run: list[int]) -> bool:
    texts = [lines[j] for j in run]
    if 4 * sum(map(is_marked, texts)) >= len(run) or 2 * sum(map(is_figure, texts)) >= len(run):
        return False
    first, after = run[0], run[-1] + 1
    lowest, highest = max(0, first - LONG), min(len(lines), after + LONG)
    while first > lowest and not is_blank(lines[first - 1]):
        first -= 1
    while after < highest and not is_blank(lines[after]):
        after += 1
    stay = [j for j, line in enumerate(lines) if not gone[j] and not is_blank(line)]
    inner = any(j < first for j in stay) and any(j >= after for j in stay)
    if is_marked_up(lines) and (inner or 2 * sum(map(is_capital, texts)) < len(run)):
        return False
    if (first > 0 and not is_blank(lines[first - 1])) or (after < len(lines) and not is_blank(lines[after])):
        return True
    block = [lines[j].strip(BLANKS) for j in range(first, after) if not gone[j] and not is_blank(lines[j])]
    if any(width(line) > 40 for line in block):
        return True
    verse = [word_count(line) for line in block if not ends_sentence(line)]
    return not inner and sum(verse) < 2 * len(verse)


def mark_menus(lines: list[str], gone: list[bool], min_words: int, min_run: int) -> None:
    """Set ``gone`` for the lines of menus, in order: what is gone before a run is no text before it."""
    for run in runs_of_short(lines, gone, min_words):
        if len(run) >= min_run and is_menu(lines, gone, run):
            for j in range(run[0], run[-1] + 1):
                gone[j] = True
