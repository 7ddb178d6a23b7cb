"""Addresses of the net: e-mail, credentials in URLs, IPv4, IPv6, MAC."""

import ipaddress
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from gristmill.filters.pii.detectors.context import context_vote, has_context, split
from gristmill.filters.pii.detectors.window import PiiSpan, Window

TLDS = Path(__file__).with_name("tlds.txt")  # of the public suffix list of March 2026

# Letters that stand in addresses: Latin, Greek and Cyrillic. A run of another script before one is no part of it.
L = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff"
LOCAL = re.compile(rf"(?:[{L}0-9_](?:[{L}0-9_.+%'&~-]{{0,63}}))$|\"[^\"\s@]{{1,62}}\"$")
LABEL = rf"[{L}0-9](?:[{L}0-9-]{{0,61}}[{L}0-9])?"
DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\])"
HOST = re.compile(rf"{LABEL}(?:{DOT}{LABEL})+|\[(?:IPv6:)?[0-9A-Fa-f:.]+\]")
OBFUSCATED_LOCAL = re.compile(rf"([{L}0-9_](?:[{L}0-9_.+-]{{0,62}}[{L}0-9_])?)[ ]?$")
OBFUSCATED_DOT = r"[ ]?(?:\.|[\[(][ ]?(?:dot|punkt|punto|point|\.)[ ]?[\])])[ ]?"
OBFUSCATED_HOST = re.compile(rf"[ ]?({LABEL}(?:{OBFUSCATED_DOT}{LABEL}){{1,5}})", re.IGNORECASE)

# What a placeholder is called: RFC 2606 reserves "example", the others are as common in manuals.
PLACEHOLDERS = {"example", "yourdomain", "yourcompany", "mydomain", "mycompany", "domain"}
SECURE_SHELL = {"git", "hg", "svn", "gitolite", "gitlab", "bzr", "aur", "gitea"}  # git@host:path is no address
ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+|u[0-9A-Fa-f]{4}|[nrt](?=[^.])")  # the first is %20, the others follow "\"
MAILED = re.compile(r"\d{6,}\.\d+-\d+-(?=.)")  # git send-email's message id: time, process, number, address
LISTED = re.compile(rb"(?i)(?:message-id|references|in-reply-to|mid|cid|/r|msgid)\W{1,3}$")  # ids of messages follow
ARCHIVED = re.compile(rb"(?i)(?:lore\.kernel|lkml|/r/|msgid|message-id)\S*$")  # the middle of one, in a URL
CREDENTIALS = re.compile(rb"://([^\s/:@\"'<>]*):([^\s/@\"'<>]+)$")
NO_SECRET = re.compile(rb"(?i)^(?:[$%{\[*.x]|pw|secret|user|your|my|token)|[{}$*]|pass|contrase")


@cache
def tlds() -> frozenset[str]:
    """All top-level domains, in lower case."""
    return frozenset(TLDS.read_text("utf-8").split())


def email_addresses(place: Window) -> Iterator[PiiSpan]:
    """A window of kind AT -> the e-mail address in it, or the credentials of a URL."""
    at = place.data.index(b"@", place.start)
    head = place.data[place.start : at]
    if b"://" in head and b"/" not in head.rpartition(b"://")[2]:
        found = CREDENTIALS.search(head)
        host = place.data[at + 1 : place.end].decode("utf-8", "ignore").partition(":")[0]
        if found and not NO_SECRET.search(found[2]) and not _is_placeholder("", host):
            yield PiiSpan(place.start + found.start(1), at, "url_credentials")
        return
    local = _local(head, place)
    host = place.data[at + 1 : place.end].decode("utf-8", "ignore")
    end = _host_end(host)
    if local and end and not _is_placeholder(local, host[:end]):
        stop = at + 1 + len(host[:end].encode())
        if not _is_path(place, local, stop):
            begin = at - len(local.encode())
            if place.before(begin, 1) == place.behind(stop, 1) == b"_" and local.startswith("_"):
                begin += 1
            yield PiiSpan(begin, stop, "email")


def _local(head: bytes, place: Window) -> str:
    """The local part that ends the bytes before an "@", "" for none."""
    found = LOCAL.search(head.decode("utf-8", "ignore"))
    if not found or found[0].endswith(".") or ".." in found[0]:
        return ""
    local = found[0]
    start = place.start + len(head) - len(local.encode())
    if local[0] in "%unrt":
        escape = ESCAPED.match(local)
        if escape and (local[0] == "%" or place.before(start, 1) == b"\\"):
            local = local[escape.end() :]
    if LISTED.search(place.before(start, 16)) or ARCHIVED.search(place.before(start, 100)):
        return ""
    if local.startswith("_") and place.behind(place.end, 1) == b"_":  # emphasis of Markdown
        local = local[1:]
    return MAILED.sub("", local)


def _host_end(host: str) -> int:
    """Characters of the host name or address literal that begins the text; 0 for none."""
    found = HOST.match(host)
    if not found:
        return 0
    if host[0] == "[":
        return found.end()
    labels = re.split(DOT, found[0])
    ends = [match.start() for match in re.finditer(DOT, found[0])] + [found.end()]
    while len(labels) > 1:
        last = labels[-1]
        sentence = last[0].isupper() and labels[-2].islower()  # "at x.org.It was"
        if (last.lower() in tlds() or last.startswith("xn--")) and not sentence:
            return ends[-1]
        labels.pop(), ends.pop()
    return 0


def _is_placeholder(local: str, host: str) -> bool:
    labels = ["", *host.lower().split(".")]
    return labels[-2] in PLACEHOLDERS or labels[-1] in ("example", "test", "invalid")


def _is_path(place: Window, local: str, stop: int) -> bool:
    """Is it user@host:path of ssh, scp and git?"""
    if place.behind(stop, 1) != b":":
        return False
    path = place.behind(stop + 1, 80).split(maxsplit=1)
    rest = path[0] if path and place.behind(stop + 1, 1).strip() else b""
    return bool(rest) and (local in SECURE_SHELL or rest[:1] in b"/~" or b"/" in rest)


def obfuscated_emails(place: Window) -> Iterator[PiiSpan]:
    """A window of kind OBFUSCATED_AT -> ``john (at) example (dot) org``."""
    before = place.before(place.start, 70).decode("utf-8", "ignore")
    behind = place.behind(place.end, 120).decode("utf-8", "ignore")
    local, host = OBFUSCATED_LOCAL.search(before), OBFUSCATED_HOST.match(behind)
    if not local or not host:
        return
    parts = re.split(OBFUSCATED_DOT, host[1], flags=re.IGNORECASE)
    ends = [match.start() for match in re.finditer(OBFUSCATED_DOT, host[1], re.IGNORECASE)] + [len(host[1])]
    while len(parts) > 1 and parts[-1].lower() not in tlds():
        parts.pop(), ends.pop()
    if len(parts) > 1 and not _is_placeholder(local[1], ".".join(parts)):
        begin = place.start - len(before[local.start() :].encode())
        yield PiiSpan(begin, place.end + len(behind[: host.start(1) + ends[-1]].encode()), "email")


VERSION = {"version", "versions", "ver", "v", "release", "rev", "revision", "build", "firmware", "section", "chapter"}
VERSION |= {"figure", "table", "clause", "paragraph", "oid", "rule", "appendix", "upgrade", "kernel"}
ASSIGNED = re.compile(
    rb"(?:[=~><!]=|[~^]|[A-Za-z][-/]|[.$#]|\xc2\xa7 ?)$"
)  # numpy==1.2.3.4, Opera/9.80.1.2, foo-1.2.3.4
GOES_ON = re.compile(rb"[A-Za-z0-9_%]|\.[a-z0-9]|-[A-Za-z]|-\d+(?![\d.])")  # 1.2.3.4.tar.gz, 1.2.3.4-rc1, 1.2.3.4-2
TINY = 20  # below it a word nearby is not enough: it must stand right before the address
SMALL = 64  # versions and sections count from small numbers; one in 256 addresses has no larger one


def ipv4(place: Window) -> Iterator[PiiSpan]:
    """A window of kind DOTTED -> the address in it."""
    text = place.text.decode()
    if not is_reportable_ip(text, place.private_addresses):
        return
    before = place.before(place.start, 3)
    if ASSIGNED.search(before) and not before.endswith(b"//"):
        return
    if GOES_ON.match(place.behind(place.end, 12)):
        return
    said = context_vote("ip", place)
    served = before.endswith((b"//", b"@")) or re.match(rb":\d|/\d\d?\b|\]", place.behind(place.end, 3))
    words = split(place.before(place.start, 24).decode("utf-8", "ignore"))[-1:]
    if words and words[0] in VERSION:
        return
    named, largest = context_vote("address_of", place, 1) > 0, max(map(int, text.split(".")))
    if served or named or (largest >= TINY and (said > 0 or (largest >= SMALL and said == 0))):
        yield PiiSpan(place.start, place.end, "ip")


@lru_cache(maxsize=65536)
def is_reportable_ip(text: str, every: bool) -> bool:
    """Is it an address that may be somebody's? None of loopback, documentation, masks; private ones only if asked."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or any(address in net for net in _DOCUMENTED[address.version]):
        return False
    if every:
        return True
    return address.is_global and not (address.is_multicast or address.is_reserved)


_DOCUMENTED = {
    4: [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/8")]
    + [ipaddress.ip_network("255.0.0.0/8")],
    6: [ipaddress.ip_network(n) for n in ("2001:db8::/32", "3fff::/20", "::/96")],
}

NO_DEVICE = (b"00005e0053", b"0180c20000", b"01005e", b"3333")  # of documentation, of bridges, of groups
CISCO = re.compile(rb"[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
MAC = re.compile(rb"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?:\1[0-9A-Fa-f]{2}\1[0-9A-Fa-f]{2})?")


def mac_or_ipv6(place: Window) -> Iterator[PiiSpan]:
    """A window of kind COLONS -> the MAC or IPv6 address in it."""
    text = place.text
    if CISCO.fullmatch(text) or MAC.fullmatch(text):
        yield from mac(place)
        return
    start, end = place.start, place.end
    if text.startswith(b":") and not text.startswith(b"::"):
        start += 1
    if text.endswith(b":") and not text.endswith(b"::"):
        end -= 1
    address = place.data[start:end].decode()
    if not is_reportable_ip(address, place.private_addresses) or place.before(start, 1) in (b":", b"."):
        return
    groups = [group for group in address.split(":") if group]
    if (len(groups) >= 3 and sum(map(len, groups)) >= 8) or has_context("ip", place):
        yield PiiSpan(start, end, "ip")


def mac(place: Window) -> Iterator[PiiSpan]:
    """A window of kind COLONS or TOKEN -> the MAC address or EUI-64 that it is."""
    text = place.text.lower()
    if not (MAC.fullmatch(text) or CISCO.fullmatch(text)):
        return
    digits = re.sub(rb"[^0-9a-f]", b"", text)
    if b"." in text and digits.isdigit():
        return
    pairs = [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
    steps = {(b - a) % 256 for a, b in pairwise(pairs)}
    if len(steps) == 1 or digits.startswith(NO_DEVICE):  # all alike, 00:11:22:33:44:55
        return
    if (digits.isdigit() or len(pairs) == 8) and not has_context("mac", place):
        return
    yield PiiSpan(place.start, place.end, "mac")
