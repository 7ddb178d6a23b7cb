"""Plain twin of filters/rules/c4.py, over str: what is left of a text, and its measures."""

import re

from reference.lines import BLANKS, unwrap, wraps
from reference.marks import ends_sentence, kind, sentence_ends
from reference.menus import is_notice, mark_menus

from gristmill.filters.rules.c4 import C4
from gristmill.filters.text.sentence_kinds import CLOSER, TERMINAL


def may_be_cited(c: str) -> bool:
    """Is a character one that a citation may follow?"""
    return (TERMINAL <= kind(c) <= CLOSER and c not in ")]}>`*_") or c in ",;:、，"


def lines_with_ends(text: str) -> list[str]:
    """The logical lines of a text, each with the line end behind it."""
    out, going = [], False
    for line, goes_on in zip(text.splitlines(keepends=True), wraps(text), strict=True):
        if going:
            out[-1] += line
        else:
            out.append(line)
        going = goes_on
    return out


def removed(lines: list[str], settings: C4) -> list[bool]:
    gone = []
    for line in lines:
        lower = line.encode().lower().decode()
        notice = is_notice(line, sum(lower.count(phrase) for phrase in settings.notices))
        long = max(map(len, re.split(rb"[\x00-\x20\xe0-\xff]", line.encode()))) > settings.max_word_length
        text = line.strip(BLANKS)
        unfinished = settings.terminal_mark and text != "" and not ends_sentence(text)
        gone.append(notice or long or unfinished)
    mark_menus(lines, gone, settings.min_words, settings.min_run)
    return gone


def without_citations(line: str) -> str:
    out, at, behind = "", 0, -1
    while at < len(line):
        match = re.compile(r"\[(\d{1,3}|edit|citation needed)\]", re.ASCII).match(line, at)
        numbered = match and match[1].isdigit()
        if match and (not numbered or (at > 0 and (at == behind or may_be_cited(line[at - 1])))):
            at = behind = match.end()
        else:
            out, at = out + line[at], at + 1
    return out


def rewrite(text: str, settings: C4) -> tuple[str, dict[str, int]]:
    lines, whole = unwrap(text), lines_with_ends(text)
    gone = removed(lines, settings)
    left = [j for j in range(len(lines)) if not gone[j]]
    lower = [lines[j].encode().lower().decode() for j in left]
    measures = {
        "sentences": sum(len(sentence_ends(lines[j])) for j in left),
        "placeholders": sum(line.count(phrase) for line in lower for phrase in settings.placeholders),
        "curly_brackets": sum(lines[j].count("{") for j in left),
    }
    kept = "".join(
        (without_citations(lines[j]) if settings.citations else lines[j]) + whole[j][len(lines[j]) :] for j in left
    )
    return kept, measures
