"""Common phrases: short items of benchmarks that occur in text that has nothing to do with the benchmark.

Document frequency cannot tell in a small corpus that "Economic growth is" is a phrase and "Describe histones" is a
question. The ranks of words in English can: ``common_words.txt`` lists 6,000 words by falling frequency in reviews,
encyclopaedia, speeches, essays, novels, messages and manuals (tools/make_common_words.py). A word that is not listed is
rare, as is each word of another language.
"""

import re
from functools import cache
from pathlib import Path

from gristmill.dedup.contamination.eval_sets import Item

WORDS = Path(__file__).with_name("common_words.txt")
# Words of a phrase, and the ranks of all of them, at most. Items with answers to confirm them have bounds under which
# none of the items falls that are planted in the test corpus (`python -m benchmarks.contamination`); items without
# answers have bounds that admit proverbs.
ANSWERED, UNANSWERED = (7, 3000), (9, 6000)


@cache
def ranks() -> dict[str, int]:
    """Return the rank of each common word, from 0."""
    return {word: rank for rank, word in enumerate(WORDS.read_text("utf-8").split())}


def is_phrase(item: Item) -> bool:
    """True if the question of an item is a common phrase.

    >>> is_phrase(Item("quiz", "1", "Tell your favorite color.")), is_phrase(Item("quiz", "2", "Tell histones."))
    (True, False)
    """
    most, commonest = ANSWERED if item.rest else UNANSWERED
    words = re.findall(r"\w+", item.question.lower())
    return len(words) <= most and all(ranks().get(word, commonest) < commonest for word in words)
