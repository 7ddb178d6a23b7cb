"""Scripts of characters, which pieces of SentencePiece do not mix. Numbers and punctuation are one; kana are Han."""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode, expand_runs, two_level_table
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.unigram.script_table import SCRIPTS

ANY = 0  # compatible with every script
SCRIPT_BLOCK, SCRIPT = two_level_table(expand_runs(SCRIPTS, np.uint8))
SPACE = 0x2581  # ▁ stands for a space


def scripts_of(data: np.ndarray, split_digits: bool = True) -> np.ndarray:
    """Return each character's script, uint8 at its first byte; ANY for ▁, and without ``split_digits`` for digits."""
    scripts = np.zeros(data.size, np.uint8)
    _fill_scripts(data, split_digits, scripts)
    return scripts


def split_scripts(words: Ragged, counts: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Split words between scripts; each part has its word's count, and may occur in several rows.

    A mark of script ANY belongs to the part before it.
    """
    offsets, often = np.zeros(words.data.size + 1, np.int64), np.empty(words.data.size, np.int64)
    parts = _part(*words, counts, scripts_of(words.data), offsets, often)
    return Ragged.from_arrays(offsets[: parts + 1], words.data), often[:parts]


@kernel
def _fill_scripts(data, split_digits, scripts):
    at = 0
    while at < data.size:
        code, size = decode(data, at, data.size)
        digit = 0x30 <= code <= 0x39 or 0xFF10 <= code <= 0xFF19
        if code != SPACE and not (digit and not split_digits):
            scripts[at] = SCRIPT[SCRIPT_BLOCK[code >> 8] * 256 + (code & 255)]
        at += size


@inline_kernel
def may_follow(script, other):
    return script == ANY or other == ANY or script == other


@kernel
def _part(offsets, data, counts, scripts, new_offsets, often):
    parts = 0
    for row in range(offsets.size - 1):
        at, script = offsets[row], ANY
        while at < offsets[row + 1]:
            if not may_follow(script, scripts[at]):
                often[parts] = counts[row]
                parts += 1
                new_offsets[parts] = at
                script = ANY
            script = max(script, scripts[at])
            at += decode(data, at, offsets[row + 1])[1]
        if new_offsets[parts] < at:
            often[parts] = counts[row]
            parts += 1
            new_offsets[parts] = at
    return parts
