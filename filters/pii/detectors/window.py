"""A window with the text around it: what an exact rule looks at, and what it answers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class PiiSpan(NamedTuple):
    """Bytes ``start:end`` of the data are personal data of a type."""

    start: int
    end: int
    type: str


@dataclass(slots=True)
class Window:
    """A window ``start:end`` of a document that lies at ``low:high`` of the data."""

    data: bytes
    start: int
    end: int
    low: int
    high: int
    language: str = ""  # ISO 639-1, "" where unknown
    private_addresses: bool = False  # addresses of private networks count too
    regions: tuple[str, ...] = ()  # ISO 3166 countries whose national phone numbers are read without a word for phone
    words: list[str] | None = None  # before it, once context.py has looked
    beside: str = ""  # the one right behind it
    last: bool = False  # that one is the last of its line or clause
    wide: bool = False  # some of those before are of a script without spaces

    @property
    def text(self) -> bytes:
        return self.data[self.start : self.end]

    def before(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes of the document that end at ``at``."""
        return self.data[max(self.low, at - size) : at]

    def behind(self, at: int, size: int) -> bytes:
        """Up to ``size`` bytes of the document that begin at ``at``."""
        return self.data[at : min(self.high, at + size)]

    def find(self, pattern: re.Pattern, margin: int = 3) -> Iterator[tuple[re.Match, int, int]]:
        """What matches in the window and a few bytes around it: the match, where it begins and ends in the data.

        The pattern sees nothing of other documents.
        """
        low = max(self.low, self.start - margin)
        for found in pattern.finditer(self.data[low : min(self.high, self.end + margin)]):
            yield found, low + found.start(), low + found.end()


Rule = Callable[[Window], Iterator[PiiSpan]]
