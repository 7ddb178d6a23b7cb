"""Dates of birth: dates after a word for birth."""

import re
from collections.abc import Iterator

from gristmill.filters.pii.detectors.context import has_context, languages
from gristmill.filters.pii.detectors.national_ids import is_birth_date
from gristmill.filters.pii.detectors.window import PiiSpan, Window

NUMERIC = re.compile(r"(?<!\d)(\d{1,4})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
EASTERN = re.compile(r"(?<!\d)(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일号]")
DAY_FIRST = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|º|\.)?(?: (?:of|de|d'|di))?[ -]?"
    r"([^\W\d_]{3,12})\.?,?(?: de| del)?[ -](\d{4})(?!\d)"
)
MONTH_FIRST = re.compile(r"([^\W\d_]{3,12})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})(?!\d)")


def birth_dates(window: Window) -> Iterator[PiiSpan]:
    """Yield the date in a DATE window after a word for birth, if the day exists and lies in 1900 to 2029."""
    if not has_context("birth", window):
        return
    low = max(window.low, window.start - 16)  # the month may stand before the day
    head = window.data[low : window.start].decode("utf-8", "ignore")
    text = head + window.after(window.start, window.end - window.start + 12).decode("utf-8", "ignore")
    for pattern in (NUMERIC, EASTERN, DAY_FIRST, MONTH_FIRST):
        for found in pattern.finditer(text):
            if any(is_birth_date(*day) for day in _days(pattern, found)):
                start = window.start + len(text[: found.start()].encode()) - len(head.encode())
                yield PiiSpan(start, start + len(found[0].encode()), "date_of_birth")
                return


def _days(pattern: re.Pattern, found: re.Match) -> Iterator[tuple[int, int, int]]:
    """Yield the days (year, month, day) that a match may mean."""
    if pattern is NUMERIC:
        a, b, c = int(found[1]), int(found[3]), int(found[4])
        if len(found[1]) == 4:
            yield a, b, c
        elif len(found[1]) <= 2:
            for year in (c,) if len(found[4]) == 4 else (1900 + c, 2000 + c):
                yield year, b, a
                yield year, a, b
    elif pattern is EASTERN:
        yield int(found[1]), int(found[2]), int(found[3])
    else:
        day, month = (found[1], found[2]) if pattern is DAY_FIRST else (found[2], found[1])
        yield int(found[3]), _month(month.lower()), int(day)


def _month(name: str) -> int:
    """Return 1 to 12 for a month's name in any language, or at least its first three letters; 0 for others."""
    for file in languages().values():
        for number, full in enumerate(file.get("months", ()), 1):
            if full == name or (len(name) >= 3 and full.startswith(name)):
                return number
    return 0
