"""What may be done to text before it is cut, by name and in order. None of it is done unless a tokenizer asks for it.

``nfc nfd nfkc nfkd``  Unicode's forms, by the version this Python has
``nmt_nfkc nmt_nfkc_cf``  SentencePiece's maps: NFKC by character, control characters dropped, all white space a space
``lower``  lower case, character by character
``strip_accents``  decomposed, without the marks that take no room (Mn)
``bert_clean``  control characters and U+FFFD dropped, all white space a space
``collapse``  spaces at both ends dropped, runs of them one space
``prefix``  a space before every document that is not empty
``escape``  each space written as ▁

Plain ASCII passes through kernels; other documents through Python, one by one. An empty document stays empty.
"""

import unicodedata
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numba import njit

from pipelines.bits import kernel
from pipelines.errors import RecipeError
from pipelines.ragged import Ragged
from pipelines.settings import nearest

MARK = "▁".encode()


def normalize(text: Ragged, names: tuple[str, ...]) -> Ragged:
    """Each document, changed by all that are named, in turn. Raises RecipeError for a name that there is not."""
    check(names)
    spaces = tuple(name in names for name in ("collapse", "prefix", "escape"))
    for name in names:
        if name in CHANGES:
            text = _by_document(text, CHANGES[name], name in FOLDS)
    return Ragged.of(*_space(*text, *spaces)) if any(spaces) else text


def denormalize(text: Ragged, names: tuple[str, ...]) -> Ragged:
    """Undo what can be undone: ▁ reads as a space, and the space before a document goes."""
    if "escape" not in names:
        return text
    return Ragged.of(*_unescape(*text, "prefix" in names))


def check(names: tuple[str, ...]) -> None:
    """Raise RecipeError for what is no name, or a space rule that comes before a change of characters."""
    for i, name in enumerate(names):
        if name not in CHANGES and name not in SPACES:
            raise RecipeError(f"there is no normalizer {name!r}; {nearest(name, [*CHANGES, *SPACES])}")
        if name in CHANGES and set(names[:i]) & {*SPACES}:
            raise RecipeError(f"normalizer {name!r} must come before {', '.join(SPACES)}")


def strip_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def bert_clean(text: str) -> str:
    kept = []
    for c in text:
        if c in "\t\n\r" or c.isspace() or unicodedata.category(c) == "Zs":
            kept.append(" ")
        elif c not in "\0\ufffd" and unicodedata.category(c)[0] != "C":
            kept.append(c)
    return "".join(kept)


def lower(text: str) -> str:
    return text.replace("Σ", "σ").lower()  # ς at the end of a word is a matter of words, not of characters


@cache
def _sentencepiece(rule: str):
    from sentencepiece import SentencePieceNormalizer

    return SentencePieceNormalizer(
        rule_name=rule, add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=False
    )


def _nmt(rule: str, text: str) -> str:
    # The library ends a text at a zero byte.
    return "\0".join(_sentencepiece(rule).normalize(part) if part else "" for part in text.split("\0"))


CHANGES: dict[str, Callable[[str], str]] = {
    **{form.lower(): partial(unicodedata.normalize, form) for form in ("NFC", "NFD", "NFKC", "NFKD")},
    **{rule: partial(_nmt, rule) for rule in ("nmt_nfkc", "nmt_nfkc_cf")},
    "lower": lower,
    "strip_accents": strip_accents,
    "bert_clean": bert_clean,
}
FOLDS = {"lower", "nmt_nfkc_cf"}  # these change plain ASCII too
SPACES = ("collapse", "prefix", "escape")


def _by_document(text: Ragged, change: Callable[[str], str], folds: bool) -> Ragged:
    """Change every document that is not plain: printable ASCII, which only case folding touches."""
    plain = np.empty(text.rows, np.bool_)
    _is_plain(*text, plain)
    if folds:
        text = Ragged.of(text.offsets, _lower_ascii(text.data))
    rows = np.flatnonzero(~plain)
    if not rows.size:
        return text
    parts, begin, sizes = [], 0, np.diff(text.offsets)
    for row in rows.tolist():
        parts.append(text.data[begin : text.offsets[row]])
        begin = int(text.offsets[row + 1])
        document = change(text.row(row).decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        parts.append(np.frombuffer(document, np.uint8))
        sizes[row] = len(document)
    parts.append(text.data[begin:])
    return Ragged.of(np.concatenate(([0], np.cumsum(sizes))), np.concatenate(parts))


@kernel
def _is_plain(offsets, data, plain):
    for row in range(plain.size):
        at, end = offsets[row], offsets[row + 1]
        while at < end and 0x20 <= data[at] < 0x7F:
            at += 1
        plain[row] = at == end


@njit(nogil=True, cache=True)
def _lower_ascii(data):
    low = np.empty_like(data)
    for i in range(data.size):
        low[i] = data[i] | 0x20 if 65 <= data[i] <= 90 else data[i]
    return low


@njit(nogil=True, cache=True)
def _space(offsets, data, collapse, prefix, escape):
    """The rules about spaces, in one pass."""
    spaces = offsets.size
    for byte in data:
        spaces += byte == 32
    new_offsets, out, at = np.empty(offsets.size, np.int64), np.empty(data.size + 3 * spaces, np.uint8), 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        while collapse and begin < end and data[begin] == 32:
            begin += 1
        while collapse and begin < end and data[end - 1] == 32:
            end -= 1
        if prefix and begin < end:
            at = _write_space(out, at, escape)
        for i in range(begin, end):
            if data[i] != 32:
                out[at] = data[i]
                at += 1
            elif not (collapse and data[i - 1] == 32):
                at = _write_space(out, at, escape)
        new_offsets[row + 1] = at
    return new_offsets, out[:at].copy()


@kernel
def _write_space(out, at, escape):
    if not escape:
        out[at] = 32
        return at + 1
    out[at], out[at + 1], out[at + 2] = 0xE2, 0x96, 0x81
    return at + 3


@njit(nogil=True, cache=True)
def _unescape(offsets, data, prefix):
    new_offsets, out, at = np.empty(offsets.size, np.int64), np.empty(data.size, np.uint8), 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        begin = i
        while i < end:
            if data[i] == 0xE2 and i + 2 < end and data[i + 1] == 0x96 and data[i + 2] == 0x81:
                if not (prefix and i == begin):
                    out[at] = 32
                    at += 1
                i += 3
            else:
                out[at] = data[i]
                at += 1
                i += 1
        new_offsets[row + 1] = at
    return new_offsets, out[:at].copy()
