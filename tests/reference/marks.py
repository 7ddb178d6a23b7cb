"""Plain twin of filters/text/sentence_ends.py, over str."""

from gristmill.filters.text.sentence_ends import CLOSING_MARKS, TERMINALS, WIDE_TERMINALS


def ends_sentence(line: str) -> bool:
    """Does a line, stripped, end like a sentence?"""
    line = line.rstrip(CLOSING_MARKS)
    return line.endswith(tuple(TERMINALS + WIDE_TERMINALS)) and not line.endswith("...")


def sentence_ends(line: str) -> list[int]:
    """Where the sentences of a line are over, their closing marks included."""
    ends, at = [], 0
    while at < len(line):
        stop = at
        while stop < len(line) and line[stop] in TERMINALS + WIDE_TERMINALS + CLOSING_MARKS:
            stop += 1
        begin = next((k for k in range(at, stop) if line[k] not in CLOSING_MARKS), stop)
        if begin < stop:
            wide = any(c in WIDE_TERMINALS for c in line[begin:stop])
            if wide or stop == len(line) or line[stop] <= " " or line[stop] in "\x85\xa0\u3000":
                ends.append(stop)
        at = max(stop, at + 1)
    return ends
