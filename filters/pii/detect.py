"""Detection of personal data: one scan finds windows, exact rules examine each, overlapping spans are resolved."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from gristmill.filters.pii import scan, window_kinds
from gristmill.filters.pii.detectors import (
    birth_dates,
    crypto,
    names_addresses,
    national_ids,
    network,
    payment,
    phones,
    secrets,
    spelled_emails,
)
from gristmill.filters.pii.detectors.window import PiiSpan, Rule, Window
from gristmill.filters.pii.plain_digits import Positions, plain_copy
from gristmill.filters.pii.possible_rules import ANY, BIT_OF, possible_rules
from gristmill.pipelines.ragged import Ragged

# By precedence where spans overlap: types with a checksum or prefix before types with only a shape.
TYPES = (
    "url_credentials",
    "api_key",
    "email",
    "wallet",
    "iban",
    "cn_id",
    "mac",
    "ip",
    "credit_card",
    "us_ssn",
    "national_id",
    "passport",
    "date_of_birth",
    "phone",
)
ON_REQUEST = (*names_addresses.FINDERS,)  # their rules miss most and cost precision, and read every word

# Kind of window -> its rules, each with the types that it may find.
TYPES_BY_RULE: dict[int, dict[Rule, str]] = {
    window_kinds.AT: {network.email_addresses: "email url_credentials"},
    window_kinds.OBFUSCATED_AT: {spelled_emails.obfuscated_emails: "email"},
    window_kinds.SPELLED_AT: {spelled_emails.spelled_emails: "email"},
    window_kinds.ENTITY_AT: {spelled_emails.entity_emails: "email"},
    window_kinds.DOTTED: {network.ipv4: "ip private_ip"},
    window_kinds.COLONS: {network.mac_or_ipv6: "ip private_ip mac"},
    window_kinds.TOKEN: {
        secrets.keys: "api_key",
        crypto.crypto_wallets: "wallet",
        payment.iban: "iban",
        network.mac: "mac",
        national_ids.chinese_resident: "cn_id",
        national_ids.national_ids: "national_id",
    },
    window_kinds.GROUPED: {payment.iban: "iban"},
    window_kinds.ID: {national_ids.national_ids: "national_id", national_ids.passport: "passport"},
    window_kinds.DATE: {birth_dates.birth_dates: "date_of_birth"},
    window_kinds.NUMBER: {
        payment.cards: "credit_card",
        national_ids.chinese_resident: "cn_id",
        national_ids.social_security: "us_ssn",
        national_ids.national_ids: "national_id",
        national_ids.passport: "passport",
        phones.phones: "phone",
    },
}
TYPES_BY_RULE[window_kinds.JOINED] = {
    **TYPES_BY_RULE[window_kinds.TOKEN],
    **TYPES_BY_RULE[window_kinds.ID],
    phones.joined_phones: "phone",
}
RULES: dict[int, tuple[tuple[Rule, frozenset[str]], ...]] = {
    kind: tuple((rule, frozenset(types.split())) for rule, types in rules.items())
    for kind, rules in TYPES_BY_RULE.items()
}


class Match(NamedTuple):
    """Personal data of a type in document ``row``: ``text.data[start:end]``. Matches are sorted and do not overlap."""

    row: int
    start: int
    end: int
    type: str


def detect(
    text: Ragged,
    types: Iterable[str],
    language: np.ndarray | None = None,
    private_addresses: bool = False,
    regions: tuple[str, ...] = (),
) -> list[Match]:
    """Return the personal data of the given types, in the order of the text.

    - ``language``: object[n], the language of each document; None if unknown;
    - ``private_addresses``: addresses of private networks count without a word for a client, too. The type PRIVATE_IP
      asks for the addresses that do not count;
    - ``regions``: countries whose national phone numbers count.

    Matches of a document do not depend on the other documents.
    """
    copy, originals = plain_copy(text)
    matches = _detect(copy, frozenset(types), language, private_addresses, regions)
    return matches if copy is text else [*_in_originals(matches, text, copy, originals)]


def _in_originals(matches: list[Match], text: Ragged, copy: Ragged, originals: dict[int, str]) -> Iterator[Match]:
    for row, group in groupby(matches, attrgetter("row")):
        low, first = int(text.offsets[row]), int(copy.offsets[row])
        positions = Positions(originals[row], copy.row(row)) if row in originals else None
        for _, *span, type in group:
            start, end = (positions.of(at - first) if positions else at - first for at in span)
            yield Match(row, low + start, low + end, type)


def _detect(
    text: Ragged,
    wanted: frozenset[str],
    language: np.ndarray | None,
    private_addresses: bool,
    regions: tuple[str, ...],
) -> list[Match]:
    data, offsets = text.data.tobytes(), text.offsets.tolist()
    spans: list[tuple[int, PiiSpan]] = []
    if "api_key" in wanted:
        blocks = list(secrets.private_keys(data, text.offsets))
        rows = np.searchsorted(text.offsets, [block.start for block in blocks], "right") - 1
        spans += zip(rows.tolist(), blocks, strict=True)
    rules = {
        kind: [(rule, BIT_OF.get(rule, ANY)) for rule, found in pairs if found & wanted]
        for kind, pairs in RULES.items()
    }
    labels = [""] * text.rows if language is None else language.tolist()
    windows = scan.scan(text)
    possible = possible_rules(text, windows, labels)
    left = np.flatnonzero(possible)
    columns = *(column[left].tolist() for column in windows), possible[left].tolist()
    for kind, start, end, row, bits in zip(*columns, strict=True):
        window = Window(data, start, end, offsets[row], offsets[row + 1], labels[row], private_addresses, regions)
        for rule, bit in rules[kind]:
            if bits & bit:
                for span in rule(window):
                    if span.type in wanted:
                        spans.append((row, span))
    for type in wanted & {*ON_REQUEST}:
        spans += (
            (row, span) for row in range(text.rows) for span in _find_by_type(type, data, *offsets[row : row + 2])
        )
    return _resolve_overlaps(spans)


def _find_by_type(type: str, data: bytes, low: int, high: int) -> Iterator[PiiSpan]:
    text, at, begin = data[low:high].decode("utf-8", "surrogateescape"), low, 0
    for start, end in sorted(names_addresses.FINDERS[type](text)):
        if start < begin:  # overlaps the previous one
            continue
        at += len(text[begin:start].encode("utf-8", "surrogateescape"))
        size = len(text[start:end].encode("utf-8", "surrogateescape"))
        yield PiiSpan(at, at + size, type)
        at, begin = at + size, end


def _resolve_overlaps(spans: list[tuple[int, PiiSpan]]) -> list[Match]:
    """Return the spans in order; of two that overlap, the earlier type of TYPES is kept, then the longer span."""
    rank = {type: number for number, type in enumerate((*TYPES, *ON_REQUEST, network.PRIVATE_IP))}
    spans = sorted(set(spans), key=lambda each: (each[1].start, -each[1].end))
    kept: list[tuple[int, PiiSpan]] = []
    for row, span in spans:
        beaten = False
        while kept and kept[-1][1].end > span.start and not beaten:
            other = kept[-1][1]
            beaten = rank[other.type] < rank[span.type] or (
                rank[other.type] == rank[span.type] and other.end - other.start >= span.end - span.start
            )
            if not beaten:
                kept.pop()
        if not beaten:
            kept.append((row, span))
    return [Match(row, *span) for row, span in kept]
