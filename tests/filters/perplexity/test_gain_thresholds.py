"""Thresholds of the context gain per language: shuffled text goes, and none where order tells little."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import judge_corpus
from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import shuffle_words
from gristmill.filters.ngram.token_stream import BEGIN, END
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.pipelines.ragged import Ragged

SYLLABLES = [consonant + vowel for consonant in "bdgklmnprst" for vowel in "aeiou"]
SHORT = [syllable + end for syllable in SYLLABLES for end in ("", "n", "s", "t")]
STEMS = [a + b + c for a in SYLLABLES for b in SYLLABLES[::6] for c in SYLLABLES[::9]]
LONG = [stem + end for stem in STEMS for end in ("ukkal", "inkeri", "oduma", "ilekka", "arunta", "umaata")]
REAL, SHUFFLED = 200, 10


def language(words, order, documents=REAL, shuffled=SHUFFLED, seed=1):
    """Return documents in which a share of the words depends on the word before, then shuffled ones."""
    chance, texts = np.random.default_rng(seed), []
    after = np.random.default_rng(0).integers(len(words), size=len(words))
    for _ in range(documents + shuffled):
        at = [0]
        ranks = np.minimum(chance.zipf(1.3, 250) - 1, len(words) - 1)
        for rank, follows in zip(ranks, chance.random(250) < order, strict=True):
            at.append(after[at[-1]] if follows else rank)
        texts.append([words[k] for k in at])
    texts[documents:] = [list(chance.permutation(text)) for text in texts[documents:]]
    return [" ".join(text) for text in texts]


def judged(by_language, **settings):
    """Return for each language which documents go, and the scores of all."""
    label = [name for name, texts in by_language.items() for _ in texts]
    texts = [text for texts in by_language.values() for text in texts]
    rows, broken = [{"id": str(i), "text": text} for i, text in enumerate(texts)], [[] for _ in texts]
    step = CrossFitPerplexity(**{"min_characters": 1000, **settings})
    scores = judge_corpus(step, "own", rows, pl.Series(label), broken)
    gone = np.array([bool(rules) for rules in broken])
    return {name: gone[np.array(label) == name] for name in by_language}, scores


def test_long_and_short_words_and_strong_and_weak_order_have_their_own_thresholds():
    tongues = {"sh": (SHORT, 0.6), "we": (SHORT, 0.15), "lo": (LONG, 0.15)}
    gone, scores = judged({name: language(*tongue) for name, tongue in tongues.items()})
    for name, found in gone.items():
        gain = scores.filter(language=name)["context_gain"].head(REAL)
        assert not found[:REAL].any() and found[REAL:].sum() >= SHUFFLED - 1, (name, gain.median())


def test_one_threshold_for_all_would_lose_good_text():
    gone, scores = judged({"we": language(SHORT, 0.1)})
    assert not gone["we"][:REAL].any()
    assert (scores["context_gain"].head(REAL) < CrossFitPerplexity().min_context_gain).mean() > 0.2


def test_a_language_of_shuffled_text_is_not_judged():
    assert not judged({"sa": language(SHORT, 0.6, 0, 100)})[0]["sa"].any()


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"min_documents": 45}, True),
        ({"min_documents": 46}, False),
        ({"min_words": 252}, True),  # 251 words and </s>
        ({"min_words": 253}, False),
        ({"min_context_gain": None}, False),
        ({"min_median_share": 0.0}, False),
    ],
)
def test_little_text_is_not_judged(settings, found):
    gone, _ = judged({"sm": language(SHORT, 0.6, 40, 5)}, **settings)
    assert gone["sm"].any() == found and not gone["sm"][:40].any()


@pytest.mark.parametrize(("letter", "bytes"), [("t", 1), ("т", 2), ("ᄀ", 3)])
def test_characters_count_and_not_bytes(letter, bytes):
    texts = [text.replace("t", letter) for text in language(["t" * k for k in range(1, 60)], 0.6)]
    assert bytes == len(letter.encode())
    least = sum(map(len, texts)) // 3
    assert judged({"xx": texts}, min_characters=least)[1]["context_gain"].null_count() == 0
    assert judged({"xx": texts}, min_characters=2 * least)[1]["context_gain"].null_count() == len(texts)


def test_documents_of_unknown_words_are_not_judged():
    texts = language(SHORT, 0.6, shuffled=0)
    chance = np.random.default_rng(3)
    for unknown, found in ((0.3, True), (0.7, False)):
        words = chance.permutation([word for text in texts[:1] for word in text.split()])
        strange = [f"q{i}" if i < unknown * len(words) else word for i, word in enumerate(words)]
        gone, scores = judged({"xx": [*texts, " ".join(chance.permutation(strange))]})
        assert gone["xx"][-1] == found and scores["context_gain"][-1] < 0.5


@given(
    st.lists(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=9), max_size=4), min_size=1, max_size=5),
    st.sampled_from([1, 2, 7, 8, 9, 36]),
)
def test_shuffled_documents_have_evenly_spaced_words_in_lines_as_long_as_the_first(documents, most):
    texts = ["\n\n".join(" ".join(line) for line in lines) for lines in documents]
    model = train(
        [Batch(Ragged.from_strings(["a b c d e f g"]))], NGramSettings(order=2, discount_fallback=[0.5, 1, 1.5])
    )
    stream = model.stream(Batch(Ragged.from_strings(texts)))
    shuffled = shuffle_words(stream, most)
    lines, ids = shuffled.lines, shuffled.ids
    for row, text in enumerate(texts):
        first, last = stream.documents[row : row + 2]
        words = [word for word in stream.ids[stream.lines[first] : stream.lines[last]] if word not in (BEGIN, END)]
        n = min(most, len(words))
        left, found = n, []
        for line in range(first, last):
            mine, size = ids[lines[line] : lines[line + 1]].tolist(), stream.lines[line + 1] - stream.lines[line] - 2
            found += mine[1:-1]
            assert len(mine[1:-1]) == max(min(size, left), 0) and (not mine or mine[:: len(mine) - 1] == [BEGIN, END])
            left -= len(mine[1:-1])
        assert left == 0 and sorted(found) == sorted(words[k * len(words) // n] for k in range(n))
        alone = shuffle_words(model.stream(Batch(Ragged.from_strings([text]))), most)
        assert (alone.ids == ids[lines[first] : lines[last]]).all()
