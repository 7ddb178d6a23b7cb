"""Windows around "@" and "(at)", by expressions."""

import re

HEAD = re.compile(rb"[0-9A-Za-z.\-_+%'&=!#$*?^`{|}~/:\"\x80-\xff]{0,128}\Z")
TAIL = re.compile(rb"[0-9A-Za-z.\-\[\]:\x80-\xff]{0,254}")
SPELT = re.compile(rb"(?i)\(at\)|\[at\]")


def at_windows(text: bytes) -> list[tuple[int, int]]:
    """A local part of up to 128 bytes, "@", a host of up to 254 with a dot in it."""
    windows = []
    for at in (found.start() for found in re.finditer(b"@", text)):
        head, tail = HEAD.search(text[max(0, at - 128) : at])[0], TAIL.match(text, at + 1)[0]
        if head and b"." in tail:
            windows.append((at - len(head), at + 1 + len(tail)))
    return windows


def spelt_windows(text: bytes) -> list[tuple[int, int]]:
    return [found.span() for found in SPELT.finditer(text)]
