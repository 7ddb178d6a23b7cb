"""Seed pieces: the frequent and long substrings of the words, and all single characters.

Substrings are counted over unique words, weighted by each word's count, so no suffix array of the corpus is needed. A
substring that is always followed by the same character is dropped in favor of the longer one; but the end of a word may
always follow, so no frequent word is missed, as SentencePiece does (its issues 615 and 1047). Pieces mix no scripts,
and numbers and punctuation are one script: on Russian that gave 3 % more bytes per token than separating numbers from
punctuation but not alphabets from each other. Substrings are identified by 64-bit hashes: among 1e8, two agree with
probability 3e-4, and the worst result is a seed with too high a weight.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.gather import gather_spans
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W1, mix
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import character_size, count_characters
from gristmill.tokenizers_lab.unigram.scripts import may_follow, scripts_of
from gristmill.tokenizers_lab.unigram.segments import is_marker

LINE_END, MARKER_FOLLOWS = (
    0,
    0xE2,
)  # the byte after a word: NUL at the end of a line, else that of ▁ (and of SentencePiece's ▅)
SEVERAL = -1  # followed by different bytes
_NOTHING_BEHIND = np.empty(0, np.uint8)
PROBE_CHARACTERS = 4  # a substring that contains a once-only string of this length occurs once too
PASS_SUBSTRINGS = 1 << 24  # of one pass; more substrings take more passes, each over a share of the hashes


class Seeds(NamedTuple):
    """Candidate pieces and their weights: a character's count; count times number of characters of longer ones."""

    pieces: Ragged
    weights: np.ndarray  # float64


def seeds(
    words: Ragged,
    counts: np.ndarray,
    limit: int = 1_000_000,
    longest: int = 16,
    split_digits: bool = True,
    kept: set[str] | None = None,
    as_sentencepiece: bool = False,
) -> Seeds:
    """Return the ``limit`` substrings of 2 to ``longest`` characters with the highest weights, and all characters.

    A substring is no candidate if it contains a character that is not ``kept``, occurs once in the corpus, or is always
    followed by the same character. Of equal weights the first found counts, so words in a fixed order give the same
    seeds. For ``as_sentencepiece`` see sentencepiece_seeds.py.
    """
    keep = np.full(0x110000, kept is None)
    keep[[ord(character) for character in kept or ()]] = True
    offsets, data, counts, behind = _parts(*words, counts, keep)
    scripts = scripts_of(data, split_digits)
    return _seeds_among(
        Ragged.from_arrays(offsets, data), counts, scripts, limit, longest, behind if as_sentencepiece else None
    )


def _seeds_among(
    words: Ragged, counts: np.ndarray, groups: np.ndarray, limit: int, longest: int, behind: np.ndarray | None
) -> Seeds:
    """Return the seeds that mix no groups (uint8 at each character's first byte; ANY is compatible with all).

    With ``behind``, the byte after each word (uint8), a seed must be followed by two different bytes, and of equal
    weights the shorter one counts, then the one with smaller bytes.
    """
    again = np.zeros(words.data.size, np.uint8)
    _find_repeats(*words, counts, np.zeros(1 << max(10, int(2 * words.data.size).bit_length()), np.uint8), again)
    total = int(_survey(*words, groups, longest, again))
    rounds, found = max(1, -(-total // PASS_SUBSTRINGS)), []
    for r in range(rounds):
        table = np.full(1 << max(10, int(2 * total // rounds * 5 // 4).bit_length()), -1, np.int32)
        room = table.size // 2
        keys, where = np.empty(room, np.uint64), np.empty(room, np.int64)
        size, chars, often = np.empty(room, np.uint16), np.empty(room, np.uint8), np.zeros(room, np.int64)
        follows = np.empty(room, np.int32)
        n = _count(
            *(*words, groups, longest, again, counts, r, rounds, table, keys, where, size, chars, often),
            *(_NOTHING_BEHIND if behind is None else behind, follows),
        )
        keep = np.flatnonzero((often[:n] > 1) & (follows[:n] == SEVERAL))
        found.append((where[keep], size[keep], chars[keep], often[keep]))
        if len(found) > 8:
            found = [_best(found, limit, words.data if behind is not None else None)]
    where, size, chars, often = _best(found, limit, words.data if behind is not None else None)
    single, single_often = characters(words, counts)
    several = gather_spans(words.data, where, where + size)
    offsets = np.concatenate((single.offsets, several.offsets[1:] + single.offsets[-1]))
    pieces = Ragged.from_arrays(offsets, np.concatenate((single.data, several.data)))
    return Seeds(pieces, np.concatenate((single_often, often * chars)).astype(np.float64))


@inline_kernel
def size_of(offsets, data, row):
    """Return the bytes of a word without its NUL, and whether it has one."""
    begin, stop = offsets[row], offsets[row + 1]
    ends = stop > begin and data[stop - 1] == LINE_END
    return stop - begin - ends, ends


@allocating_kernel
def _parts(offsets, data, counts, keep):
    """Split words at characters that are not kept: offsets, bytes, counts, and the byte after each part."""
    most = data.size + counts.size + 1
    new_offsets, out = np.zeros(most, np.int64), np.empty(data.size, np.uint8)
    new_counts, behind = np.empty(most, np.int64), np.empty(most, np.uint8)
    row = at = 0
    for i in range(counts.size):
        size, ends = size_of(offsets, data, i)
        where, stop = offsets[i], offsets[i] + size
        while where < stop:
            code, width = decode(data, where, stop)
            kept = keep[code] and (width > 1 or code < 0x80)
            if kept:
                for k in range(where, where + width):
                    out[at] = data[k]
                    at += 1
            where += width
            if at > new_offsets[row] and (not kept or where >= stop):
                new_counts[row], behind[row] = counts[i], LINE_END if kept and ends else MARKER_FOLLOWS
                row += 1
                new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy(), new_counts[:row].copy(), behind[:row].copy()


def _best(found: list, limit: int, data: np.ndarray | None) -> tuple:
    """Return the candidates with the highest weights, in the order of their places.

    Of equal weights the first found counts; with ``data`` the shorter one, then the one with smaller bytes.
    """
    where, size, chars, often = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((where, size, -(often * chars)) if data is not None else (size, where, -(often * chars)))
    if data is not None and 0 < limit < order.size:  # bytes matter only if the limit falls among equals
        last = order[limit - 1]
        equal = (often * chars == often[last] * chars[last]) & (size == size[last])
        places = np.flatnonzero(equal[order])
        tied = sorted(order[places].tolist(), key=lambda k: data[where[k] : where[k] + size[k]].tobytes())
        order[places] = tied
    order = order[:limit]
    order = order[np.lexsort((size[order], where[order]))]
    return where[order], size[order], chars[order], often[order]


def characters(words: Ragged, counts: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Return every character and its count, the most frequent first."""
    often = count_characters(words, counts)
    codes = np.flatnonzero(often)
    codes = codes[np.lexsort((codes, -often[codes]))]
    return Ragged.from_strings([chr(code) for code in codes]), often[codes]


@kernel
def _find_repeats(offsets, data, counts, seen, again):
    """Set again[at] = 1 if the PROBE_CHARACTERS characters at ``at`` recur (or, rarely, share their hash).

    ``seen`` holds counts up to 2; its size is any power of two.
    """
    for second_pass in (False, True):
        for row in range(offsets.size - 1):
            at, stop = offsets[row], offsets[row + 1]
            while at < stop:
                end, key = at, U64(0)
                for _ in range(PROBE_CHARACTERS):
                    for i in range(end, min(end + character_size(data[end]), stop) if end < stop else end):
                        key = (key ^ U64(data[i])) * GOLDEN_RATIO
                        end = i + 1
                slot = mix(key ^ GOLDEN_RATIO, W1) & U64(seen.size - 1)
                if second_pass:
                    again[at] = seen[slot] > 1
                else:
                    seen[slot] = min(2, seen[slot] + counts[row])
                at += character_size(data[at])


@kernel
def _survey(offsets, data, groups, longest, again):
    """Return the number of substrings that may occur again."""
    total = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            group, end, chars, gram = groups[at], at + character_size(data[at]), 1, at
            while end < stop and chars < longest and may_follow(group, groups[end]) and not is_marker(data, end, stop):
                group = max(group, groups[end])
                end += character_size(data[end])
                chars += 1
                if chars >= PROBE_CHARACTERS:
                    if not again[gram]:
                        break
                    gram += character_size(data[gram])
                total += 1
            at += character_size(data[at])
    return total


@inline_kernel
def _follower(data, end, stop, behind, row):
    """Return the character after a substring, SEVERAL at the end of a word; with ``behind`` the byte."""
    if behind.size:
        return np.int64(data[end] if end < stop else behind[row])
    return decode(data, end, stop)[0] if end < stop else np.int64(SEVERAL)


@kernel
def _count(
    offsets, data, groups, longest, again, counts, part, parts, table, keys, where, size, chars, often, behind, follows
):
    """Count the substrings whose hash belongs to this pass; return the number of distinct ones.

    ``follows`` becomes the byte after each substring, or SEVERAL.
    """
    mask, n = U64(table.size - 1), 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            group, end, count, gram = groups[at], at + character_size(data[at]), 1, at
            key = U64(0)
            for i in range(at, min(end, stop)):
                key = (key ^ U64(data[i])) * GOLDEN_RATIO
            while end < stop and count < longest and may_follow(group, groups[end]) and not is_marker(data, end, stop):
                group = max(group, groups[end])
                after = min(end + character_size(data[end]), stop)
                for i in range(end, after):
                    key = (key ^ U64(data[i])) * GOLDEN_RATIO
                    key ^= key >> U64(29)
                end = after
                count += 1
                if count >= PROBE_CHARACTERS:
                    if not again[gram]:
                        break
                    gram += character_size(data[gram])
                full = mix(key ^ GOLDEN_RATIO, W1)
                if parts > 1 and (full >> U64(32)) % U64(parts) != U64(part):
                    continue
                slot = full & mask
                while table[slot] >= 0 and keys[table[slot]] != full:
                    slot = (slot + U64(1)) & mask
                entry = table[slot]
                if entry < 0:
                    if n == keys.size:  # passes are even, so there is room; one candidate fewer is harmless
                        continue
                    entry = n
                    table[slot] = entry
                    keys[entry], where[entry], size[entry], chars[entry] = full, at, end - at, count
                    n += 1
                    follows[entry] = _follower(data, end, stop, behind, row)
                often[entry] += counts[row]
                if follows[entry] != SEVERAL and follows[entry] != _follower(data, end, stop, behind, row):
                    follows[entry] = SEVERAL
            at += character_size(data[at])
    return n
