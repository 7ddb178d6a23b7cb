"""Normalizers: changes of text before pre-tokenization, by name and in order; none is applied by default.

``nfc nfd nfkc nfkd`` Unicode's normalization forms, by the version of this Python
``nmt_nfkc nmt_nfkc_cf`` SentencePiece's maps: NFKC by character, control characters dropped, each white space a space
``lower`` lower case, character by character
``strip_accents`` decomposed, without nonspacing marks (Mn)
``bert_clean`` control characters and U+FFFD dropped, each white space a space
``collapse`` spaces at both ends dropped, runs of spaces one space
``prefix`` a space before every document that is not empty
``prefix_once`` the same, unless a space is there
``prefix_first`` the same, only where a document begins, not after an added token
``escape`` each space written as ▁
``charsmap`` the character map that an imported SentencePiece model holds
``hf_nfc hf_nfd hf_nfkc hf_nfkd hf_lower hf_strip_accents hf_clean`` the forms and maps of `tokenizers`

All except Unicode's forms are kernels over tables; the forms skip documents that they would not change (forms.py) and
take the others one by one. An empty document remains empty. Names that begin with hf belong to imported tokenizers:
`tokenizers` has Unicode tables of its own age, so it computes the forms itself and fills the tables.
"""

import unicodedata
from collections.abc import Callable

import numpy as np

from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import (
    allocating_kernel,
    inline_kernel,
    kernel,
    load_u64,
    store_u64,
    trailing_zeros,
)
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.character_map import BY_CHARACTER, character_map
from gristmill.tokenizers_lab.normalize.charsmap import charsmap
from gristmill.tokenizers_lab.normalize.forms import by_document
from gristmill.tokenizers_lab.normalize.library import LIBRARY_FORMS, library_form
from gristmill.tokenizers_lab.normalize.sentencepiece import apply_charsmap, load_charsmap
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols

EIGHT, TOPS, SPACE8 = U64(0x0101010101010101), U64(0x8080808080808080), U64(0x2020202020202020)


def normalize(
    text: Ragged,
    names: tuple[str, ...],
    symbols: UserSymbols | None = None,
    begins: np.ndarray | None = None,
    table: bytes = b"",
) -> Ragged:
    """Apply the named normalizers to each row, in turn, except to its user symbols.

    ``begins`` (bool[rows], by default all) tells which rows begin a document. ``table`` is the map of ``charsmap``.
    Raises RecipeError for an unknown name.
    """
    check_normalizers(names)
    for run in _fuse_maps(names):
        if run[0] in SPACES:
            continue
        change = _changed_by(run, table)
        text = symbols.apply_between(change, text) if symbols else change(text)
    if not {*SPACES} & {*names}:
        return text
    prefix = np.full(text.rows, ALWAYS if "prefix" in names else ONCE if "prefix_once" in names else NEVER, np.uint8)
    if "prefix_first" in names:
        prefix[slice(None) if begins is None else begins] = ONCE
    return Ragged.from_arrays(*_space(*text, "collapse" in names, prefix, "escape" in names))


def _changed_by(run: tuple[str, ...], table: bytes) -> Callable[[Ragged], Ragged]:
    """Return the function that applies a group of normalizers."""
    if run[0] in BY_CHARACTER:
        return character_map(run)
    if run[0] in FORMS:
        form = run[0].upper()
        return lambda text: by_document(text, lambda document: unicodedata.normalize(form, document), form)  # type: ignore[arg-type]
    if run[0] in LIBRARY_FORMS:
        return lambda text: by_document(text, library_form(run[0]), run[0].removeprefix("hf_").upper())
    if run[0] == "charsmap":
        return lambda text: apply_charsmap(text, load_charsmap(table))
    return lambda text: apply_charsmap(text, load_charsmap(charsmap(run[0])))


def _fuse_maps(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Group normalizers in turn; adjacent ones that map single characters form one group."""
    found: list[tuple[str, ...]] = []
    for name in names:
        if found and name in BY_CHARACTER and found[-1][0] in BY_CHARACTER:
            found[-1] += (name,)
        else:
            found.append((name,))
    return found


def denormalize(text: Ragged, names: tuple[str, ...]) -> Ragged:
    """Undo ``escape`` and ``prefix``: ▁ becomes a space, and the space before a document is dropped."""
    prefix = not {*names}.isdisjoint(("prefix", "prefix_once", "prefix_first"))
    if not prefix and "escape" not in names:
        return text
    return Ragged.from_arrays(*_unescape(*text, "escape" in names, prefix))


def check_normalizers(names: tuple[str, ...]) -> None:
    """Raise RecipeError for an unknown name, or a space normalizer that comes before a change of characters."""
    for i, name in enumerate(names):
        if name not in CHANGES and name not in SPACES:
            raise RecipeError(f"there is no normalizer {name!r}; {nearest(name, [*CHANGES, *SPACES])}")
        if name in CHANGES and set(names[:i]) & {*SPACES}:
            raise RecipeError(f"normalizer {name!r} must come before {', '.join(SPACES)}")


FORMS = ("nfc", "nfd", "nfkc", "nfkd")
CHARSMAPS = ("nmt_nfkc", "nmt_nfkc_cf", "charsmap")
CHANGES = (*FORMS, *LIBRARY_FORMS, *CHARSMAPS, *BY_CHARACTER)
SPACES = ("collapse", "prefix", "prefix_once", "prefix_first", "escape")
NEVER, ALWAYS, ONCE = range(3)  # prefix a row, unless it begins with a space


@allocating_kernel
def _space(offsets, data, collapse, prefix, escape):
    """Apply the space normalizers in one pass."""
    spaces = offsets.size
    for byte in data:
        spaces += byte == 32
    new_offsets, out, at = np.empty(offsets.size, np.int64), np.empty(data.size + 3 * spaces + 8, np.uint8), 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        begin, end = offsets[row], offsets[row + 1]
        while collapse and begin < end and data[begin] == 32:
            begin += 1
        while collapse and begin < end:
            if data[end - 1] == 32:
                end -= 1
            elif escape and end - 3 >= begin and _is_mark(data, end - 3, end):
                end -= 3  # SentencePiece drops ▁ at the end, whether it was a space or not
            else:
                break
        if begin < end and (prefix[row] == ALWAYS or (prefix[row] == ONCE and not _is_space(data, begin, end, escape))):
            at = _write_space(out, at, escape)
        i = begin
        while i < end:
            if i + 8 <= end:  # copy up to the next space at once; later writes overwrite the rest
                word = load_u64(data, i)
                store_u64(out, at, word)
                zeros = ((word ^ SPACE8) - EIGHT) & ~(word ^ SPACE8) & TOPS
                size = trailing_zeros(zeros) >> 3
                i, at = i + size, at + size
                if zeros == U64(0):
                    continue
            if data[i] != 32:
                out[at] = data[i]
                at += 1
            elif not (collapse and data[i - 1] == 32):
                at = _write_space(out, at, escape)
            i += 1
        new_offsets[row + 1] = at
    return new_offsets, out[:at]


@inline_kernel
def _is_mark(data, at, end):
    return data[at] == 0xE2 and at + 2 < end and data[at + 1] == 0x96 and data[at + 2] == 0x81


@inline_kernel
def _is_space(data, at, end, escape):
    """True if a space begins at ``at``, or ▁ that is to stand for one."""
    return data[at] == 32 or (escape and _is_mark(data, at, end))


@kernel
def _write_space(out, at, escape):
    if not escape:
        out[at] = 32
        return at + 1
    out[at], out[at + 1], out[at + 2] = 0xE2, 0x96, 0x81
    return at + 3


@allocating_kernel
def _unescape(offsets, data, escaped, prefix):
    new_offsets, out, at = np.empty(offsets.size, np.int64), np.empty(data.size, np.uint8), 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        i, end = offsets[row], offsets[row + 1]
        begin = i
        while i < end:
            if prefix and i == begin and data[i] == 32:
                i += 1
            elif escaped and data[i] == 0xE2 and i + 2 < end and data[i + 1] == 0x96 and data[i + 2] == 0x81:
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
