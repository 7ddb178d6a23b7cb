"""Addresses and private keys of cryptocurrency wallets, recognized by their checksums."""

import hashlib
import re
from collections.abc import Iterator

from gristmill.filters.pii.detectors.context import has_context
from gristmill.filters.pii.detectors.keccak import keccak256
from gristmill.filters.pii.detectors.window import PiiSpan, Window

BITCOIN = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
RIPPLE = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
BECH32 = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BASE58 = re.compile(rb"[1-9A-HJ-NP-Za-km-z]{25,52}")
SEGWIT = re.compile(rb"(bc|tb|ltc|addr|stake|cosmos|inj|kaspa)1([02-9ac-hj-np-z]{11,100})")
ETHER = re.compile(rb"0[xX]([0-9a-fA-F]{40})")
SEGWIT_HEADS = b"BC", b"TB", b"LT", b"AD", b"ST", b"CO", b"IN", b"KA"  # their first two letters, as capitals
PAYLOADS = {21, 22, 33, 34}  # bytes: address (with one or two version bytes), private key (compressed or not)
VERSIONS = {0x00, 0x05, 0x16, 0x1C, 0x1E, 0x30, 0x32, 0x41, 0x4C, 0x80, 0xB0}  # of chains in use


def crypto_wallets(window: Window) -> Iterator[PiiSpan]:
    """Yield a TOKEN window that is a wallet's address or private key."""
    text = window.text
    if not text.isalnum():
        return  # no alphabet contains "_" or "-", as most tokens of code do
    found = ETHER.fullmatch(text)
    if found:
        wallet = is_ether(found[1]) or has_context("wallet", window)
    elif BASE58.fullmatch(text):
        wallet = is_base58(text, BITCOIN) or (text.startswith(b"r") and is_base58(text, RIPPLE))
    else:
        wallet = is_bech32(text.lower()) if text.islower() or text.isupper() else False
    if wallet:
        yield PiiSpan(window.start, window.end, "wallet")


def is_base58(text: bytes, alphabet: bytes) -> bool:
    """True if a text is Base58Check: it ends with the first four bytes of the double SHA-256 of the rest."""
    number = 0
    for character in text:
        number = number * 58 + alphabet.index(character)
    zeros = len(text) - len(text.lstrip(alphabet[:1]))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, check = raw[:-4], raw[-4:]
    if len(payload) not in PAYLOADS or (len(payload) != 22 and payload[0] not in VERSIONS):
        return False
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] == check


def is_bech32(text: bytes) -> bool:
    """True if a text is Bech32 (BIP 173) or Bech32m (BIP 350): its checksum is 1 or Bech32m's constant."""
    found = SEGWIT.fullmatch(text)
    if not found:
        return False
    head, values = found[1], [BECH32.index(character) for character in found[2]]
    check = 1
    for value in [*(c >> 5 for c in head), 0, *(c & 31 for c in head), *values]:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> i & 1 else 0
    return check in (1, 0x2BC830A3)


def is_ether(text: bytes) -> bool:
    """True if 40 hexadecimal digits are capitalized by their Keccak-256 (EIP-55)."""
    small = text.lower()
    if text in (small, text.upper()):
        return False  # without a checksum
    digits = keccak256(small).hex()
    return all(c.isdigit() or c.isupper() == (int(d, 16) >= 8) for c, d in zip(text.decode(), digits, strict=False))
