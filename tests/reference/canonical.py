"""Canonical text, a character at a time: the twin of pipelines/steps/canonical.py."""

import regex
import unicodedata2 as unicode

HANGUL_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters, though Unicode ignores them by default
IGNORED = regex.compile(rf"(?![{HANGUL_FILLERS}\ufff0-\ufff8])\p{{Default_Ignorable_Code_Point}}")


def canonical(text: str) -> str:
    return unicode.normalize("NFC", IGNORED.sub("", text))
