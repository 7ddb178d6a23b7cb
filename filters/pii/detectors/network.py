"""Network addresses: e-mail, credentials in URLs, IPv4, IPv6, MAC."""

import ipaddress
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

from gristmill.filters.pii.detectors.context import context_vote, has_context, split_words
from gristmill.filters.pii.detectors.window import PiiSpan, Window

TLDS = Path(__file__).with_name("tlds.txt")  # of the public suffix list of March 2026

# Letters of addresses: Latin, Greek and Cyrillic. Letters of other scripts before an address are no part of it.
LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1fff"
LOCAL = re.compile(rf"(?:[{LETTERS}0-9_](?:[{LETTERS}0-9_.+%'&~-]{{0,63}}))$|\"[^\"\s@]{{1,62}}\"$")
LABEL = rf"[{LETTERS}0-9](?:[{LETTERS}0-9-]{{0,61}}[{LETTERS}0-9])?"
DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\])"
HOST = re.compile(rf"{LABEL}(?:{DOT}{LABEL})+|\[(?:IPv6:)?[0-9A-Fa-f:.]+\]")

# Domains of placeholders: RFC 2606 reserves "example", manuals use the others.
PLACEHOLDERS = {"example", "yourdomain", "yourcompany", "mydomain", "mycompany", "domain"}
SECURE_SHELL = {"git", "hg", "svn", "gitolite", "gitlab", "bzr", "aur", "gitea"}  # git@host:path is no e-mail address
ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+|u[0-9A-Fa-f]{4}|[nrt](?=[^.])")  # %20, and the part of an escape after "\"
MAILED = re.compile(r"\d{6,}\.\d+-\d+-(?=.)")  # message id of git send-email: time, process, number, address
LISTED = re.compile(rb"(?i)(?:message-id|references|in-reply-to|mid|cid|/r|msgid)\W{1,3}$")  # before message ids
ARCHIVED = re.compile(rb"(?i)(?:lore\.kernel|lkml|/r/|msgid|message-id)\S*$")  # before message ids in URLs
CREDENTIALS = re.compile(rb"://([^\s/:@\"'<>]*):([^\s/@\"'<>]+)$")
NO_SECRET = re.compile(rb"(?i)^(?:[$%{\[*.x]|pw|secret|user|your|my|token)|[{}$*]|pass|contrase")


@cache
def tlds() -> frozenset[str]:
    """Return all top-level domains, in lower case."""
    return frozenset(TLDS.read_text("utf-8").split())


def email_addresses(window: Window) -> Iterator[PiiSpan]:
    """Yield the e-mail address in an AT window, or the credentials of a URL."""
    at = window.data.index(b"@", window.start)
    head = window.data[window.start : at]
    if b"://" in head and b"/" not in head.rpartition(b"://")[2]:
        found = CREDENTIALS.search(head)
        host = window.data[at + 1 : window.end].decode("utf-8", "ignore").partition(":")[0]
        if found and not NO_SECRET.search(found[2]) and not is_placeholder("", host):
            yield PiiSpan(window.start + found.start(1), at, "url_credentials")
        return
    local = _local(head, window)
    host = window.data[at + 1 : window.end].decode("utf-8", "ignore")
    end = host_end(host)
    if local and end and not is_placeholder(local, host[:end]):
        stop = at + 1 + len(host[:end].encode())
        if not _is_path(window, local, stop):
            begin = at - len(local.encode())
            if window.before(begin, 1) == window.after(stop, 1) == b"_" and local.startswith("_"):
                begin += 1
            yield PiiSpan(begin, stop, "email")


def _local(head: bytes, window: Window) -> str:
    """Return the local part that ends the bytes before an "@"; "" for none."""
    found = LOCAL.search(head.decode("utf-8", "ignore"))
    if not found or found[0].endswith(".") or ".." in found[0]:
        return ""
    local = found[0]
    start = window.start + len(head) - len(local.encode())
    if local[0] in "%unrt":
        escape = ESCAPED.match(local)
        if escape and (local[0] == "%" or window.before(start, 1) == b"\\"):
            local = local[escape.end() :]
    if LISTED.search(window.before(start, 16)) or ARCHIVED.search(window.before(start, 100)):
        return ""
    if local.startswith("_") and window.after(window.end, 1) == b"_":  # emphasis of Markdown
        local = local[1:]
    return MAILED.sub("", local)


def host_end(host: str) -> int:
    """Return the length in characters of the host name or address literal at the beginning; 0 for none."""
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


def is_placeholder(local: str, host: str) -> bool:
    labels = ["", *host.lower().split(".")]
    return labels[-2] in PLACEHOLDERS or labels[-1] in ("example", "test", "invalid")


def _is_path(window: Window, local: str, stop: int) -> bool:
    """True if the address is user@host:path of ssh, scp or git."""
    if window.after(stop, 1) != b":":
        return False
    path = window.after(stop + 1, 80).split(maxsplit=1)
    rest = path[0] if path and window.after(stop + 1, 1).strip() else b""
    return bool(rest) and (local in SECURE_SHELL or rest[:1] in b"/~" or b"/" in rest)


PRIVATE_IP = "private_ip"  # a type that is counted, not replaced
VERSION = {"version", "versions", "ver", "v", "release", "rev", "revision", "build", "firmware", "section", "chapter"}
VERSION |= {"figure", "table", "clause", "paragraph", "oid", "rule", "appendix", "upgrade", "kernel"}
# numpy==1.2.3.4, Opera/9.80.1.2, foo-1.2.3.4
ASSIGNED = re.compile(rb"(?:[=~><!]=|[~^]|[A-Za-z][-/]|[.$#]|\xc2\xa7 ?)$")
CONTINUED = re.compile(rb"[A-Za-z0-9_%]|\.[a-z0-9]|-[A-Za-z]|-\d+(?![\d.])")  # 1.2.3.4.tar.gz, 1.2.3.4-rc1, 1.2.3.4-2
# Versions and sections have small numbers. If its largest number is below TINY, an address needs a word right before
# it; below SMALL a supporting word nearby; from SMALL on only no veto. One address in 256 has no number from SMALL on.
TINY, SMALL = 20, 64


def ipv4(window: Window) -> Iterator[PiiSpan]:
    """Yield the IPv4 address in a DOTTED window."""
    text = window.text.decode()
    scope = address_scope(text)
    if scope == NOWHERE:
        return
    before = window.before(window.start, 3)
    if ASSIGNED.search(before) and not before.endswith(b"//"):
        return
    if CONTINUED.match(window.after(window.end, 12)):
        return
    vote = context_vote("ip", window)
    served = before.endswith((b"//", b"@")) or re.match(rb":\d|/\d\d?\b|\]", window.after(window.end, 3))
    words = split_words(window.before(window.start, 24).decode("utf-8", "ignore"))[-1:]
    if words and words[0] in VERSION:
        return
    named, largest = context_vote("address_of", window, 1) > 0, max(map(int, text.split(".")))
    if served or named or (largest >= TINY and (vote > 0 or (largest >= SMALL and vote == 0))):
        yield PiiSpan(window.start, window.end, _type_in(scope, window))


NOWHERE, PRIVATE, PUBLIC = range(3)
NEAR = 4  # words: an address that is not public needs its word so near


@lru_cache(maxsize=65536)
def address_scope(text: str) -> int:
    """Return where an IP address is valid: NOWHERE for loopback, documentation, masks and text that is no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return NOWHERE
    if mapped := getattr(address, "ipv4_mapped", None):  # ::ffff:192.0.2.1
        return address_scope(str(mapped))
    if address.is_loopback or address.is_unspecified or any(address in net for net in _DOCUMENTED[address.version]):
        return NOWHERE
    return PUBLIC if address.is_global and not (address.is_multicast or address.is_reserved) else PRIVATE


def _type_in(scope: int, window: Window) -> str:
    """Return the type of an address: a private one is personal only after a word for a client, as in "login from"."""
    personal = scope == PUBLIC or window.private_addresses or context_vote("client", window, NEAR) > 0
    return "ip" if personal else PRIVATE_IP


_DOCUMENTED = {
    4: [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "0.0.0.0/8")]
    + [ipaddress.ip_network("255.0.0.0/8")],
    6: [ipaddress.ip_network(n) for n in ("2001:db8::/32", "3fff::/20", "::/96")],
}

NO_DEVICE = (b"00005e0053", b"0180c20000", b"01005e", b"3333")  # documentation, bridges, multicast
CISCO = re.compile(rb"[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2}")
MAC = re.compile(rb"[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?:\1[0-9A-Fa-f]{2}\1[0-9A-Fa-f]{2})?")


def mac_or_ipv6(window: Window) -> Iterator[PiiSpan]:
    """Yield the MAC or IPv6 address in a COLONS window."""
    text = window.text
    if CISCO.fullmatch(text) or MAC.fullmatch(text):
        yield from mac(window)
        return
    start, end = window.start, window.end
    if text.startswith(b":") and not text.startswith(b"::"):
        start += 1
    if text.endswith(b":") and not text.endswith(b"::"):
        end -= 1
    address = window.data[start:end].decode()
    scope = address_scope(address)
    if scope == NOWHERE or window.before(start, 1) in (b":", b"."):
        return
    groups = [group for group in address.split(":") if group]
    if "." in address or (len(groups) >= 3 and sum(map(len, groups)) >= 8) or has_context("ip", window):
        yield PiiSpan(start, end, _type_in(scope, window))


def mac(window: Window) -> Iterator[PiiSpan]:
    """Yield a COLONS or TOKEN window that is a MAC address or EUI-64."""
    text = window.text.lower()
    if not (MAC.fullmatch(text) or CISCO.fullmatch(text)):
        return
    digits = re.sub(rb"[^0-9a-f]", b"", text)
    if b"." in text and digits.isdigit():
        return
    pairs = [int(digits[i : i + 2], 16) for i in range(0, len(digits), 2)]
    steps = {(b - a) % 256 for a, b in pairwise(pairs)}
    if len(steps) == 1 or digits.startswith(NO_DEVICE):  # constant steps: 00:11:22:33:44:55
        return
    if (digits.isdigit() or len(pairs) == 8) and not has_context("mac", window):
        return
    yield PiiSpan(window.start, window.end, "mac")
