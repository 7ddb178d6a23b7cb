"""Languages told from a larger neighbor by characters, where the models were trained on too little of them.

- Cantonese: the models label nearly all of it ``zh``, and much traditional Mandarin ``yue``. Written Cantonese has
  characters for its own particles, verbs and pronouns, and few of the Mandarin ones; Wu, Gan and Hakka share only some.
- Arabic: the models label Tashelhit in Arabic letters ``ar``, lid.176 with probability 0.94. Every fourth or fifth word
  of Arabic has the article. In languages without it, words begin so by chance or in loans, 4 of 100 at most.
"""

import numpy as np
import polars as pl

from gristmill.pipelines.ragged import Ragged

CANTONESE = "[嘅喺咗哋啲嘢㗎]"
SHARED = "[唔佢冇咁嚟]"  # also Gan or Hakka
MANDARIN = "[的是這这們们那沒没]"

WORD = r"[\u0621-\u063A\u0641-\u064A\u0671-\u06D3]{2,}"
ARTICLE = r"(?:^|[^\pL])(?:[وف]?[بك]?[اٱ]ل|[وف]?لل)"
MIN_WORDS, MIN_ARTICLES = 20, 0.04  # share of words


def is_cantonese(text: Ragged) -> np.ndarray:
    """Return bool[n]: more Cantonese than Mandarin characters, one of them used in no other variety."""
    series = pl.Series(text.to_text())
    certain, shared, mandarin = (series.str.count_matches(marks).to_numpy() for marks in (CANTONESE, SHARED, MANDARIN))
    return (certain > 0) & (certain + shared > mandarin)


def lacks_article(text: Ragged) -> np.ndarray:
    """Return bool[n]: MIN_WORDS words or more in Arabic letters, and fewer than MIN_ARTICLES with the article."""
    letters = pl.Series(text.to_text()).str.replace_all(r"\p{Mn}|\u0640", "")  # vowel marks, and the line that widens
    words, articles = (letters.str.count_matches(pattern).to_numpy() for pattern in (WORD, ARTICLE))
    return (words >= MIN_WORDS) & (articles < MIN_ARTICLES * words)
