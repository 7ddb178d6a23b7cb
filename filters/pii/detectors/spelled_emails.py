"""E-mail addresses whose "@" is spelled: ``(at)``, ``AT`` in capitals, or an HTML entity."""

import re
from collections.abc import Iterator
from html import unescape

from gristmill.filters.pii.detectors.network import LABEL, LETTERS, LOCAL, host_end, is_placeholder, tlds
from gristmill.filters.pii.detectors.window import PiiSpan, Window

OBFUSCATED_LOCAL = re.compile(rf"([{LETTERS}0-9_](?:[{LETTERS}0-9_.+-]{{0,62}}[{LETTERS}0-9_])?)[ ]?$")
OBFUSCATED_DOT = re.compile(r"[ ]?(?:\.|[\[(][ ]?(?:dot|punkt|punto|point|\.)[ ]?[\])])[ ]?", re.IGNORECASE)
OBFUSCATED_HOST = re.compile(rf"[ ]?({LABEL}(?:{OBFUSCATED_DOT.pattern}{LABEL}){{1,5}})", re.IGNORECASE)

ATOM = rf"[{LETTERS}0-9_][{LETTERS}0-9_.+-]{{0,62}}"
SPELLED_LOCAL = re.compile(rf"(?<![{LETTERS}0-9_.+-])((?:{ATOM} (?:DOT|PUNKT|PUNTO|POINT) ){{0,3}}{ATOM}) $")
SPELLED_DOT = re.compile(r" (?:DOT|dot|PUNKT|PUNTO|POINT) |\.")
SPELLED_HOST = re.compile(rf" ({LABEL}(?:(?:{SPELLED_DOT.pattern}){LABEL}){{1,5}})")
BRACKETS = "<([{"  # around an address whose dots are not spelled: "shop AT mill.org" may be a sentence

PIECE = re.compile(r"&#?[0-9A-Za-z]{1,8};|[^&;]")  # a character, maybe as an entity
REVERSED_PIECES = re.compile(rb"(?:;[0-9A-Za-z]{1,8}#?&|[0-9A-Za-z_.+%'~\x80-\xff-]){1,64}")
HOST_PIECES = re.compile(rb"(?:&#?[0-9A-Za-z]{1,8};|[0-9A-Za-z.\-\x80-\xff]){1,128}")
ENTITY_BYTES = 11  # longest piece


def obfuscated_emails(window: Window) -> Iterator[PiiSpan]:
    """Yield the e-mail address around an OBFUSCATED_AT window: ``john (at) example (dot) org``."""
    before = window.before(window.start, 70).decode("utf-8", "ignore")
    after = window.after(window.end, 120).decode("utf-8", "ignore")
    local, host = OBFUSCATED_LOCAL.search(before), OBFUSCATED_HOST.match(after)
    if not local or not host:
        return
    name = _host_name(host[1], OBFUSCATED_DOT)
    if name and not is_placeholder(local[1], ".".join(OBFUSCATED_DOT.split(name))):
        yield _around(window, before[local.start() :], after[: host.start(1) + len(name)])


def spelled_emails(window: Window) -> Iterator[PiiSpan]:
    """Yield the e-mail address around a SPELLED_AT window: ``john AT example DOT org``, ``<john AT example.org>``."""
    before = window.before(window.start, 140).decode("utf-8", "ignore")
    after = window.after(window.end, 140).decode("utf-8", "ignore")
    local, host = SPELLED_LOCAL.search(before), SPELLED_HOST.match(after)
    if not local or not host:
        return
    name = _host_name(host[1], SPELLED_DOT)
    if not name or is_placeholder(local[1], ".".join(SPELLED_DOT.split(name))):
        return
    if " " in name or before[: local.start()].endswith((*BRACKETS,)):
        yield _around(window, before[local.start() :], after[: host.start(1) + len(name)])


def _host_name(name: str, dot: re.Pattern) -> str:
    """Return the beginning of a name that ends in a top-level domain; "" for none."""
    ends = [*(found.start() for found in dot.finditer(name)), len(name)]
    parts = dot.split(name)
    while len(parts) > 1 and parts[-1].lower() not in tlds():
        parts.pop(), ends.pop()
    return name[: ends[-1]] if len(parts) > 1 else ""


def _around(window: Window, before: str, after: str) -> PiiSpan:
    return PiiSpan(window.start - len(before.encode()), window.end + len(after.encode()), "email")


def entity_emails(window: Window) -> Iterator[PiiSpan]:
    """Yield the e-mail address around an ENTITY_AT window: ``john&#64;example.org``."""
    head = REVERSED_PIECES.match(window.before(window.start, 64 * ENTITY_BYTES)[::-1])
    tail = HOST_PIECES.match(window.after(window.end, 128 * ENTITY_BYTES))
    if not head or not tail:
        return
    before, after = (PIECE.findall(raw.decode("utf-8", "ignore")) for raw in (head[0][::-1], tail[0]))
    local, host = LOCAL.search("".join(map(_character, before))), "".join(map(_character, after))
    end = host_end(host)
    if not local or not end or local[0].endswith(".") or ".." in local[0]:
        return
    if not is_placeholder(local[0], host[:end]):
        yield _around(window, "".join(before[len(before) - len(local[0]) :]), "".join(after[:end]))


def _character(piece: str) -> str:
    """Return the one character that a piece stands for; a space for an unknown entity."""
    character = unescape(piece)
    return character if len(character) == 1 else " "
