"""Rules that a TOKEN window may satisfy, told from its bytes before any rule runs.

Four windows of five are tokens (identifiers, dates joined by hyphens, numbers of messages), and six rules examine each.
One pass over their bytes leaves the rules whose shape the token has; most tokens have none.
"""

from collections.abc import Iterable

import numpy as np

from gristmill.filters.pii.detectors import crypto, national_ids, network, payment, secrets
from gristmill.filters.pii.detectors.window import Rule
from gristmill.filters.pii.scan import Windows
from gristmill.filters.pii.window_kinds import CLASS, DASH, DIGIT, DOT, HEX, LETTER, TOKEN, UNDERSCORE, UPPER
from gristmill.pipelines.kernels.intrinsics import kernel

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


def possible_rules(data: np.ndarray, low: np.ndarray, windows: Windows) -> np.ndarray:
    """Return uint8[n], the bits of the rules that may find something in each window; ANY for other kinds than TOKEN.

    ``low`` int64[n] holds the begin of each window's document.
    """
    rules = np.full(windows.kind.size, ANY, np.uint8)
    _examine_tokens(data, low, *windows[:3], rules)
    return rules


@kernel
def _examine_tokens(data, low, kind, start, end, rules):
    for w in range(kind.size):
        if kind[w] == TOKEN:
            rules[w] = _token_rules(data, low[w], start[w], end[w])


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
