"""Escapes for text of documents: control characters are written out, so that no terminal executes them."""

import json
import unicodedata
from collections.abc import Callable

JOINERS = "\u200c\u200d"  # parts of Persian words and emoji; no terminal reacts to them


class Escapes(dict):
    """Table for ``str.translate``: control, format and unassigned characters -> their escapes.

    >>> "a\\x1b[31m\\nb".translate(TERMINAL)
    'a\\\\x1b[31m\\nb'
    """

    def __init__(self, keep: str, escape: Callable[[str], str]):
        self.escape = escape
        super().__init__({ord(character): character for character in keep + JOINERS})

    def __missing__(self, code: int) -> str:
        character = chr(code)
        control = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        self[code] = self.escape(character) if control else character
        return self[code]


def _backslash(character: str) -> str:
    return character.encode("unicode_escape").decode()


TERMINAL = Escapes("\n\t", _backslash)
LINE = Escapes("", _backslash)  # for one line
JSON = Escapes("\n", lambda character: json.dumps(character)[1:-1])  # for C1 and bidi marks, which orjson keeps
