"""dolma's and DCLM's variants against plain Python, and documents that only one of them drops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.registry import VARIANTS
from gristmill.filters.words.words import HAS_LETTER, HAS_NUMBER
from gristmill.pipelines.ragged import Ragged
from tests.reference import dolma as reference

MARKS = ["#", "#tag", "…", "...", ". . .", "*", "-", "•", "●", "é", "字", "\0"]
SPACES = [" ", " ", "\n", "\n", "\n\n", "\t", "\u2028", "\r"]
PIECES = st.sampled_from(["a", "bc", "The", "the", "OF", "be", "12", *MARKS, *SPACES, "a b c d e f "])
TEXTS = st.lists(st.lists(PIECES, max_size=60).map("".join), max_size=4)


def measures(name: str, variant: str, batch: Batch) -> list[dict]:
    return VARIANTS[name][variant]().measure(batch).to_dicts()


@given(TEXTS)
def test_gopher_is_that_of_the_reference(texts):
    batch = Batch(Ragged.from_strings(texts))
    assert measures("gopher", "dolma", batch) == [pytest.approx(reference.dolma_gopher(text)) for text in texts]
    assert measures("gopher", "dclm", batch) == [pytest.approx(reference.dclm_gopher(text)) for text in texts]


@given(TEXTS)
def test_repetition_is_that_of_the_reference(texts):
    batch = Batch(Ragged.from_strings(texts))
    assert measures("repetition", "dolma", batch) == [pytest.approx(reference.dolma_repetition(text)) for text in texts]
    words = batch.words
    for row, (text, found) in enumerate(zip(texts, measures("repetition", "dclm", batch), strict=True)):
        of = slice(words.offsets[row], words.offsets[row + 1])
        real = words.flags[of] & (HAS_LETTER | HAS_NUMBER) > 0
        spans = zip(words.start[of][real], words.end[of][real], strict=True)
        expected = reference.dclm_repetition(text, [batch.text.data[a:b].tobytes().decode() for a, b in spans])
        found.pop("lines")
        assert found == pytest.approx(expected)


@st.composite
def few_n_grams(draw) -> str:
    """Draw n, n + 1, 2n - 2 or 2n - 1 words of a short period, so that n-grams repeat where each word is in few."""
    n = draw(st.integers(2, 10))
    words = draw(st.lists(st.sampled_from(["a", "bc", "the", "éé", "12345"]), min_size=1, max_size=3))
    count = draw(st.sampled_from([n - 1, n, n + 1, 2 * n - 2, 2 * n - 1]))
    return " ".join((words * count)[:count])


@given(st.lists(few_n_grams(), min_size=1, max_size=4))
def test_repetition_of_hardly_more_words_than_n_is_that_of_the_reference(texts):
    batch = Batch(Ragged.from_strings(texts))
    assert measures("repetition", "dolma", batch) == [pytest.approx(reference.dolma_repetition(text)) for text in texts]


@pytest.mark.parametrize(("words", "n", "share"), [(5, 5, 0.0), (6, 5, 1.0), (8, 5, 1.0), (11, 10, 1.0), (18, 10, 1.0)])
def test_every_n_gram_of_one_word_is_a_copy(words, n, share):
    """The characters of copies are divided by those of all n-grams, of which a short document has few."""
    (found,) = measures("repetition", "dolma", Batch(Ragged.from_strings(["a " * words])))
    assert found[f"dup_{n}_grams"] == share


@pytest.mark.parametrize("length", [1023, 1024])
def test_the_median_is_exact_up_to_its_longest_word(length):
    (found,) = measures("gopher", "dolma", Batch(Ragged.from_strings([f"a {'b' * length} {'c' * length}"])))
    assert found["word_length"] == length


LETTERS = "abcdefghijklmnopqrstuvwxyz"
PROSE = " ".join(f"mill{letter} of grain{letter}" for letter in LETTERS)  # one stop word, 26 times
CASED = PROSE.replace(" of ", " by ") + " The TO"
LIST = "\n".join(f"•{word} of the" for word in PROSE.replace(" of ", " by ").split())
OTHERS = [f"mill{letter} flour{letter} bread{letter}" for letter in LETTERS]


@pytest.mark.parametrize(
    ("name", "variant", "text", "rule"),
    [
        ("gopher", "dolma", PROSE, None),
        ("gopher", "datatrove-0.10.1", PROSE, "stop_words_too_low"),
        ("gopher", "dclm", CASED, None),
        ("gopher", "dolma", CASED, "stop_words_too_low"),
        ("gopher", "dolma", LIST, None),  # no bullet of dolma's
        ("gopher", "dclm", LIST, "bullet_lines_too_high"),
        ("repetition", "dclm", "\n".join([*OTHERS[:14], *["ab"] * 6]), None),  # 6 of 20 lines
        ("repetition", "dclm", "\n".join([*OTHERS[:13], *["ab"] * 6]), "dup_lines_too_high"),  # 6 of 19
        ("repetition", "dclm", "", "lines_too_low"),
        ("repetition", "dclm", "the grain and the mill", None),
        ("repetition", "dolma", "the grain and the mill", "top_2_gram_too_high"),  # one that comes once counts
    ],
)
def test_each_variant_has_its_own_lines(name, variant, text, rule):
    rule_set, batch = VARIANTS[name][variant](), Batch(Ragged.from_strings([text]))
    broken = decide(rule_set, rule_set.measure(batch), np.array([""], object))[0].to_list()
    assert (broken[0]["rule"] if broken else None) == rule
