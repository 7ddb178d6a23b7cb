"""Escapes for text of documents, files and recipes: control characters are written out, so that nothing executes them.

Control characters here are Unicode's controls, format characters (such as marks of direction), surrogates, private and
unassigned characters, line and paragraph separators.
"""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import orjson
from markupsafe import Markup, escape

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


def _mark(character: str) -> str:
    code = ord(character)
    sign = chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨{code:02X}⟩"
    return f'<i class="control" title="U+{code:04X}">{sign}</i>'


TERMINAL = Escapes("\n\t", _backslash)
LINE = Escapes("", _backslash)  # for one line
JSON = Escapes("\n", lambda character: json.dumps(character)[1:-1])  # for C1 and bidi marks, which orjson keeps
HTML = Escapes("\n\t", _mark)


def json_bytes(value: Any, indent: bool = False) -> bytes:
    """Return a value as JSON that is safe to show and reads back as the same value.

    >>> json_bytes({"a": "\\x9b\\u202e"})
    b'{"a":"\\\\u009b\\\\u202e"}'
    """
    return orjson.dumps(value, str, orjson.OPT_INDENT_2 if indent else None).decode().translate(JSON).encode()


def visible(value: Any) -> Any:
    """Return a string with its control characters escaped, all else unchanged: for what a template prints."""
    return value.translate(TERMINAL) if type(value) is str else value


def marked(text: str) -> Markup:
    """Return a text as HTML with its control characters marked, for an element with ``white-space: pre-wrap``.

    >>> marked("a<b>\\x00\\u202e")
    Markup('a&lt;b&gt;<i class="control" title="U+0000">␀</i><i class="control" title="U+202E">⟨202E⟩</i>')
    """
    return Markup(str(escape(text.replace("\r\n", "\n"))).translate(HTML))
