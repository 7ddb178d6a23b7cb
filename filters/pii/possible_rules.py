"""Rules that a window may satisfy, told from its bytes before any rule runs.

In manuals and source code four windows of five are tokens (identifiers, dates joined by hyphens, numbers of messages),
and six rules examine each. One pass over their bytes leaves the rules whose shape the token has; most tokens have none.
In prose most windows are dates, which count only near a word for birth.
"""

from collections.abc import Iterable
from functools import cache

import numpy as np

from gristmill.filters.pii.detectors import context, crypto, national_ids, network, payment, secrets
from gristmill.filters.pii.detectors.window import Rule
from gristmill.filters.pii.scan import Windows
from gristmill.filters.pii.window_kinds import CLASS, DASH, DATE, DIGIT, DOT, HEX, LETTER, TOKEN, UNDERSCORE, UPPER
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import INVALID, decode
from gristmill.pipelines.ragged import Ragged

KEY, WALLET, IBAN, MAC, RESIDENT, NATIONAL = (1 << n for n in range(6))
ANY = 255
BIT_OF: dict[Rule, int] = {  # any other rule has all bits: it examines each window of its kind
    secrets.keys: KEY,
    crypto.crypto_wallets: WALLET,
    payment.iban: IBAN,
    network.mac: MAC,
    national_ids.chinese_resident: RESIDENT,
    national_ids.national_ids: NATIONAL,
}
MIN_BASE58, MAX_IBAN, MAC_BYTES, EUI_BYTES, RESIDENT_RUN, MAILCHIMP = 25, 34, 17, 23, 17, 32
WORD_BITS, START = 14, np.uint64(0xCBF29CE484222325)
KELVIN = 0x212A  # whose lower case is "k"
CAPITAL = 0xDF  # clears the bit that tells small letters from capitals


def _members(members: bytes) -> np.ndarray:
    return np.isin(np.arange(256), list(members))


def _pairs(pairs: Iterable[bytes]) -> np.ndarray:
    """Return bool[65536], True for the first two bytes of each of ``pairs``."""
    return np.isin(np.arange(1 << 16), [pair[0] << 8 | pair[1] for pair in pairs])


INSIDE, SPACED = _members(secrets.INSIDE), _members(secrets.SPACED)
SIGN = _members(b":=>rRcC")  # last bytes of secrets.SIGNS
BEFORE_DOT = _members(bytes(prefix[-2] for prefix in secrets.DOTTED))
KEY_START = _pairs(secrets.STARTS)
COUNTRY = _pairs(map(str.encode, payment.IBANS))
SEGWIT_START = _pairs(crypto.SEGWIT_HEADS)


def possible_rules(text: Ragged, windows: Windows, languages: list[str]) -> np.ndarray:
    """Return uint8[n], the bits of the rules that may find something in each window: ANY, except for TOKEN and DATE.

    ``languages`` holds one per document, "" where unknown.
    """
    rules, numbers = np.full(windows.kind.size, ANY, np.uint8), {name: n for n, name in enumerate({*languages, ""})}
    words = np.stack([_word_table("birth", name) for name in numbers])
    _examine(*text, *windows, np.array([numbers[name] for name in languages], np.int64), words, rules)
    return rules


@cache
def _word_table(topic: str, language: str) -> np.ndarray:
    """Return bool[(1 << WORD_BITS) + 1]: True for the hash of the longest word of each supporting term, if it is ASCII.

    The last entry is True if a term has another longest word.
    """
    terms, table = context.terms_of(topic, language), np.zeros((1 << WORD_BITS) + 1, np.bool_)
    supporting = {term for term, vote in terms.votes.items() if vote > 0} | terms.labels | terms.after
    for word in {max(term.split(), key=len) for term in supporting}:
        table[_slot_of(np.frombuffer(word.encode(), np.uint8)) if word.isascii() else -1] = True
    return table


@kernel
def _examine(offsets, data, kind, start, end, row, language, words, rules):
    for w in range(kind.size):
        low, high = offsets[row[w]], offsets[row[w] + 1]
        if kind[w] == TOKEN:
            rules[w] = _token_rules(data, low, start[w], end[w])
        elif kind[w] == DATE:
            before, after = max(low, start[w] - context.BYTES_BEFORE), min(high, end[w] + context.BYTES_AFTER)
            known = words[language[row[w]]]
            rules[w] = ANY if _has_word(data, before, start[w], known) or _has_word(data, end[w], after, known) else 0


@inline_kernel
def _step(hash, byte):
    return (hash ^ np.uint64(byte)) * GOLDEN_RATIO


@inline_kernel
def _slot(hash):
    return np.int64(hash >> np.uint64(64 - WORD_BITS))


@kernel
def _slot_of(word):
    hash = START
    for byte in word:
        hash = _step(hash, byte)
    return _slot(hash)


@kernel
def _has_word(data, begin, end, words):
    """True if ``data[begin:end]`` may have a word of the table, by its hash in lower case.

    It may if it has a character that the words have, beyond ASCII, or one that is ASCII in lower case, or is damaged.
    """
    hash, small, k = START, False, begin  # of the word so far; True after a small letter
    while k < end:
        byte, size = data[k], 1
        if byte >= 0x80:
            code, size = decode(data, k, end)
            if words[-1] or code == INVALID or code == KELVIN:
                return True
            byte = 0
        bits = CLASS[byte]
        if not bits & LETTER or (small and bits & UPPER):  # phoneNumber is two words
            if words[_slot(hash)]:
                return True
            hash = START
        if bits & LETTER:
            hash = _step(hash, byte | 0x20)
        small = bits & (LETTER | UPPER) == LETTER
        k += size
    return words[_slot(hash)]


@kernel
def _token_rules(data, low, start, end):
    run = longest = 0
    alphanumeric = capital = hexadecimal = True
    for k in range(start, end):
        byte = data[k]
        bits = CLASS[byte]
        run = run + 1 if bits & DIGIT else 0
        longest = max(longest, run)
        alphanumeric &= bits & (DIGIT | LETTER) != 0
        capital &= bits & (LETTER | UPPER) != LETTER and byte != UNDERSCORE
        hexadecimal &= bits & HEX != 0 or byte == DASH
    size = end - start
    rules = KEY if _may_be_key(data, low, start, end) else 0
    letters = np.int64(data[start] & CAPITAL) << 8 | data[start + 1] & CAPITAL
    rules |= WALLET if alphanumeric and (size >= MIN_BASE58 or SEGWIT_START[letters]) else 0
    numbered = size <= MAX_IBAN and CLASS[data[start + 2]] & CLASS[data[start + 3]] & DIGIT
    rules |= IBAN if numbered and COUNTRY[letters] else 0
    rules |= MAC if hexadecimal and (size == MAC_BYTES or size == EUI_BYTES) else 0
    rules |= RESIDENT if longest >= RESIDENT_RUN else 0
    return rules | (NATIONAL if capital else 0)


@kernel
def _may_be_key(data, low, start, end):
    """True if a token begins as a known key, or an assignment may end before it."""
    if KEY_START[np.int64(data[start]) << 8 | data[start + 1]]:
        return True
    if start - low >= 3 and data[start - 1] == DOT and BEFORE_DOT[data[start - 2]]:
        return True
    if end - start > MAILCHIMP and data[start + MAILCHIMP] == DASH:
        return True
    at = start
    while at > max(low, start - secrets.INSIDE_BYTES) and INSIDE[data[at - 1]]:
        at -= 1
    stop = max(low, at - secrets.ASSIGNED_BYTES)
    while at > stop and SPACED[data[at - 1]]:
        at -= 1
    return at > stop and SIGN[data[at - 1]]
