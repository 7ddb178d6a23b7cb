"""Write ``dedup/contamination/common_words.txt``: common English words by falling frequency, each genre counting alike.

    python -m tools.make_common_words DATA

A word's frequency is the mean of its shares of the words of each genre in the development data. It must be in three of
them, so that no word is common for one genre alone: a name in novels, a command in manuals.
"""

import re
import sys
from collections import Counter
from pathlib import Path
from statistics import fmean

from gristmill.dedup.contamination.phrases import WORDS
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents

GENRES = (
    "docs_en_linux",
    "prose_anarchism",
    "prose_factbook",
    "prose_novels",
    "prose_speeches",
    "prose_wikitext2",
    "quality_movie_reviews",
    "quality_sms_spam",
)
COUNT = 6000
LETTERS = "adimst"  # that are words: a, I, and the ends of it's, don't, I'd, I'm


def shares(path: Path) -> dict[str, float]:
    """Return the share of each word among those of a file; words of one document alone are left out."""
    words: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for table in read_documents([str(path)], InputSettings()):
        for text in table["text"].to_pylist():
            found = Counter(re.findall(r"\w+", text.lower()))
            words.update(found)
            documents.update(found.keys())
    total = words.total()
    return {word: count / total for word, count in words.items() if documents[word] > 1}


def main() -> None:
    """Write the words."""
    genres = [shares(Path(sys.argv[1]) / f"{name}.jsonl.zst") for name in GENRES]
    words = [word for word in set().union(*genres) if word.isalpha() and (len(word) > 1 or word in LETTERS)]
    words = [word for word in words if sum(word in genre for genre in genres) >= 3]
    common = {word: fmean(genre.get(word, 0.0) for genre in genres) for word in words}
    ranked = sorted(words, key=lambda word: (-common[word], word))
    WORDS.write_text("\n".join(ranked[:COUNT]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
