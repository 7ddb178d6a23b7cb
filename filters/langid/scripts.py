"""Scripts as evidence: a text without letters of a language's scripts is not in that language.

Models label every text, also in scripts that they were never trained on: py3langid labels Cherokee and Syriac as
Amharic, with probability 1. lid.176 labels a sixth of the Chinese poems as Japanese, though they have no kana.

One letter is enough for a language in another script than Latin: its pages hold names and code in Latin letters. A
language in Latin letters needs them in half of the text.
"""

import numpy as np

from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.text.letters import CASE, FROM_BRACE, FROM_SMALL_A, HIGH
from gristmill.pipelines.kernels.intrinsics import kernel, load_u64, popcount
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

# Script: its languages, the likeliest one first (CLDR, likelySubtags), and its blocks of 16 code points.
SCRIPTS = {
    "Latin": (
        "und az bxr crh gom ha hif iu kab ks ku mhr mn ms ro sh shi sr tk tt tzm ug uz",  # and all that no row has
        "00c-02a 1e0-1ef 2c6-2c7 a72-a7f ab3-ab6 fb0 ff2-ff5",
    ),
    "Greek": ("el grc", "037-03f 1f0-1ff"),
    "Cyrillic": (
        "ru ab av az ba be bg bxr ce crh cv kk krc kv ky lez mhr mk mn mrj myv os ro rue sah sh sr tg tk tt tyv ug uk "
        "uz xal",
        "040-052 1c8 2de-2df a64-a69",
    ),
    "Armenian": ("hy", "053-058"),
    "Hebrew": ("he hbo yi", "059-05f fb1-fb4"),
    "Arabic": (
        "ar ary arz az azb ckb fa ha kk ks ku ky lrc ms mzn pa pnb ps sd sdh tg tk ug ur uz uzs",
        "060-06f 075-077 087-08f fb5-fdf fe7-fef",
    ),
    "Syriac": ("syr", "070-074 086"),
    "Thaana": ("dv", "078-07b"),
    "NKo": ("nqo", "07c-07f"),
    "Devanagari": ("hi bho dty gom hif ks lif mai mr ne new sa sd", "090-097 a8e-a8f"),
    "Bengali": ("bn as bpy", "098-09f"),
    "Gurmukhi": ("pa", "0a0-0a7"),
    "Gujarati": ("gu", "0a8-0af"),
    "Oriya": ("or", "0b0-0b7"),
    "Tamil": ("ta", "0b8-0bf"),
    "Telugu": ("te", "0c0-0c7"),
    "Kannada": ("kn", "0c8-0cf"),
    "Malayalam": ("ml", "0d0-0d7"),
    "Sinhala": ("si", "0d8-0df"),
    "Thai": ("th", "0e0-0e7"),
    "Lao": ("lo", "0e8-0ef"),
    "Tibetan": ("bo dz", "0f0-0ff"),
    "Myanmar": ("my shn", "100-109 a9e aa6-aa7"),
    "Georgian": ("ka xmf", "10a-10f 1c9-1cb 2d0-2d2"),
    "Hangul": ("ko", "110-11f 313-318 a96-a97 ac0-d7f"),
    "Ethiopic": ("am ti", "120-139 2d8-2dd ab0-ab2"),
    "Cherokee": ("chr", "13a-13f ab7-abb"),
    "Canadian": ("cr iu oj", "140-167 18b-18f"),
    "Khmer": ("km", "178-17f 19e-19f"),
    "Mongolian": ("mn mnc", "180-18a"),
    "Coptic": ("cop", "2c8-2cf"),
    "Tifinagh": ("zgh kab shi tzm", "2d3-2d7"),
    "Kana": ("ja", "304-30f 31f ff6-ff9"),
    "Yi": ("ii", "a00-a4c"),
    "Vai": ("vai", "a50-a63"),
    "Han": ("zh", "2e8-2fd 340-4db 4e0-9ff f90-faf 2000-323a"),
}
LANGUAGES = [[UNKNOWN], *(names.split() for names, _ in SCRIPTS.values())]


def _block_scripts() -> np.ndarray:
    """Return the script of each block of 16 code points, an index into LANGUAGES; 0 for none."""
    found = np.zeros(0x110000 >> 4, np.uint8)
    for number, (_, blocks) in enumerate(SCRIPTS.values(), 1):
        for span in blocks.split():
            first, _, last = span.partition("-")
            found[int(first, 16) : int(last or first, 16) + 1] = number
    return found


SCRIPT_OF_BLOCK = _block_scripts()
LATIN = 1
LIKELY = np.array([names[0] for names in LANGUAGES])
# Several languages use the script: kept by the language step's default, but below every threshold of confidence.
MOST_CERTAIN = np.array([1.0 if len(names) == 1 else 0.4 for names in LANGUAGES])
LANGUAGES_BY_SCRIPT = frozenset(LIKELY.tolist()) - {UNKNOWN}


def scripts_of(language: str) -> int:
    """Return the scripts of a language as bits; Latin for a language outside the table."""
    return sum(1 << number for number, names in enumerate(LANGUAGES) if language in names) or 1 << LATIN


def correct_by_script(text: Ragged, scripts: np.ndarray, language: np.ndarray, probability: np.ndarray) -> None:
    """Replace each label whose language has too few letters in the text by the likeliest language of the main script.

    ``scripts`` are those of the labels, as bits. The main script is the most frequent one besides Latin, and the
    probability is its share of all letters, at most 0.4 where several languages use the script. Without such a script
    the label is ``und``, with probability 0.
    """
    main, share = np.zeros(text.rows, np.int64), np.zeros(text.rows)
    _find_main_script(*text, scripts, SCRIPT_OF_BLOCK, np.zeros(len(LANGUAGES), np.int64), main, share)
    wrong = np.flatnonzero(main >= 0)
    language[wrong] = LIKELY[main[wrong]]
    probability[wrong] = np.minimum(share[wrong], MOST_CERTAIN[main[wrong]])


@kernel
def _find_main_script(offsets, data, scripts, script_of_block, counts, main, share):
    """Write the main script and its share of the letters for each text without ``scripts`` (bits), else -1."""
    for i in range(offsets.size - 1):
        at, end, possible, latin = offsets[i], offsets[i + 1], False, 0
        counts[:] = 0
        while at < end and not possible:
            if at + 8 <= end:
                word = load_u64(data, at) | CASE
                if word & HIGH == 0:  # eight bytes of ASCII
                    latin += popcount((word + FROM_SMALL_A) & ~(word + FROM_BRACE) & HIGH)
                    at += 8
                    continue
            code, size = decode(data, at, end)
            at += size
            script = script_of_block[code >> 4]
            latin += script == LATIN or ord("a") <= code | 0x20 <= ord("z")
            counts[script] += 1
            possible = script > LATIN and (scripts[i] >> np.uint64(script)) & np.uint64(1) == 1
        counts[0] = counts[LATIN] = 0
        letters = latin + counts.sum()
        if letters and (scripts[i] >> np.uint64(LATIN)) & np.uint64(1) == 1:
            possible |= 2 * latin >= letters
        main[i] = -1 if possible else np.argmax(counts)
        share[i] = counts[main[i]] / max(1, letters)
