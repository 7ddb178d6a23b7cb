"""Text and numbers in HTML: escaped, with control characters written out."""

import re

from markupsafe import Markup, escape

# Controls except tab and line feed, marks of direction, zero-width characters, line and paragraph separators.
CONTROLS = re.compile("([\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff])")


def escaped(text: str) -> Markup:
    """Return a text as HTML, for an element with ``white-space: pre-wrap``.

    >>> escaped("a<b>\\x00\\u202e")
    Markup('a&lt;b&gt;<i class="control" title="U+0000">␀</i><i class="control" title="U+202E">⟨202E⟩</i>')
    """
    pieces = CONTROLS.split(text.replace("\r\n", "\n"))
    return Markup().join(_mark(piece) if i % 2 else escape(piece) for i, piece in enumerate(pieces))


def _mark(character: str) -> Markup:
    code = ord(character)
    sign = chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨{code:02X}⟩"
    return Markup('<i class="control" title="U+{:04X}">{}</i>').format(code, sign)


def number(value: float | None) -> str:
    """Format a number with four significant digits; None, the threshold of a rule that is off, is "off"."""
    if value is None:
        return "off"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
