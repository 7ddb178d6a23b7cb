"""Windows that exact rules examine, with the text around them, and the spans that rules yield."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class PiiSpan(NamedTuple):
    """Personal data of a type: bytes ``start:end`` of the data."""

    start: int
    end: int
    type: str


@dataclass(slots=True)
class Window:
    """A window ``start:end`` of the document ``low:high`` of the data."""

    data: bytes
    start: int
    end: int
    low: int
    high: int
    language: str = ""  # ISO 639-1, "" where unknown
    private_addresses: bool = False  # addresses of private networks count too
    regions: tuple[str, ...] = ()  # ISO 3166 countries whose national phone numbers need no word for phone
    # Filled by context.py on first use:
    words_before: list[str] | None = None
    word_after: str = ""
    ends_clause: bool = False  # word_after is the last of its line or clause
    unspaced: bool = False  # some of words_before are in a script without spaces

    @property
    def text(self) -> bytes:
        return self.data[self.start : self.end]

    def before(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the document that end at ``at``."""
        return self.data[max(self.low, at - size) : at]

    def after(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the document that begin at ``at``."""
        return self.data[at : min(self.high, at + size)]

    def find(self, pattern: re.Pattern, margin: int = 3) -> Iterator[tuple[re.Match, int, int]]:
        """Yield the matches in the window and ``margin`` bytes around it, with begin and end in the data.

        The pattern never sees other documents.
        """
        low = max(self.low, self.start - margin)
        for found in pattern.finditer(self.data[low : min(self.high, self.end + margin)]):
            yield found, low + found.start(), low + found.end()


Rule = Callable[[Window], Iterator[PiiSpan]]
