"""Windows around "@" and "(at)", the words before a window, and the check of cards, in the plainest way."""

import re
import unicodedata

HEAD = re.compile(rb"[0-9A-Za-z.\-_+%'&=!#$*?^`{|}~/:\"\x80-\xff]{0,128}\Z")
TAIL = re.compile(rb"[0-9A-Za-z.\-\[\]:\x80-\xff]{0,254}")
SPELT = re.compile(rb"(?i)\(at\)|\[at\]")


def at_windows(text: bytes) -> list[tuple[int, int]]:
    """A local part of up to 128 bytes, "@", a host of up to 254 with a dot, or "[" inside."""
    windows = []
    for at in (found.start() for found in re.finditer(b"@", text)):
        head, tail = HEAD.search(text[max(0, at - 128) : at])[0], TAIL.match(text, at + 1)[0]
        if head and (b"." in tail or b"[" in tail[1:]):
            windows.append((at - len(head), at + 1 + len(tail)))
    return windows


def obfuscated_windows(text: bytes) -> list[tuple[int, int]]:
    return [found.span() for found in SPELT.finditer(text)]


BREAK = re.compile(rb"[^:\s][^\S\n]*\n|\n\s*\n|\d[.;)] ")


def words_before(text: bytes) -> list[str]:
    """The words, in lower case, behind the last of all ends of line, paragraph and number."""
    ends = [0, *(found.end() for found in BREAK.finditer(text))]
    composed = unicodedata.normalize("NFC", text[ends[-1] :].decode("utf-8", "ignore"))
    humps = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", composed)
    words = [""]  # letters, and marks after them
    for character in humps:
        is_mark = 0x300 <= ord(character) < 0x1D00 and unicodedata.category(character).startswith("M")
        if re.fullmatch(r"[^\W\d_]", character) or (is_mark and words[-1]):
            words[-1] += character
        elif words[-1]:
            words.append("")
    return [word.lower() for word in words if word]


def luhn(digits: str) -> bool:
    """Digits from the right; every second one doubled and, where that makes two digits, those added."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if i % 2 else 1)
        total += number // 10 + number % 10
    return total % 10 == 0
