"""Text is data: what a terminal would obey in a document is shown, not sent."""

import json
import unicodedata
from collections.abc import Callable

JOINERS = "\u200c\u200d"  # Persian words and emoji are written with them, and no terminal obeys them


class Escapes(dict):
    """A table for ``str.translate``: control, format and unassigned characters -> how they are written.

    >>> "a\\x1b[31m\\nb".translate(TERMINAL)
    'a\\\\x1b[31m\\nb'
    """

    def __init__(self, keep: str, written: Callable[[str], str]):
        self.written = written
        super().__init__({ord(character): character for character in keep + JOINERS})

    def __missing__(self, code: int) -> str:
        character = chr(code)
        obeyed = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        self[code] = self.written(character) if obeyed else character
        return self[code]


def _backslash(character: str) -> str:
    return character.encode("unicode_escape").decode()


TERMINAL = Escapes("\n\t", _backslash)
LINE = Escapes("", _backslash)  # of one line
JSON = Escapes("\n", lambda character: json.dumps(character)[1:-1])  # what orjson leaves as it is: C1, bidi marks
