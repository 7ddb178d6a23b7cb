"""datatrove 0.10.1 and our variant of it, on documents made to part them: every decision, reason and text is equal.

Its answers come from the package itself (tests/oracle) and lie in tests/golden; with spaCy they must all be met.
"""

import io
import json
import unicodedata
from collections import Counter

import pytest
import zstandard

from gristmill.filters.rules.variants.characters import PLANES
from tests.conftest import REPOSITORY
from tests.datatrove_answers import ALONE, REASONS, answers

GOLDEN = REPOSITORY / "tests" / "golden" / "datatrove.jsonl.zst"
ASKED = ("words", "repetition", "gopher", "c4", "c4_text", "fineweb", "chain", "chain_text")


@pytest.fixture(scope="module")
def golden() -> list[dict]:
    with zstandard.open(GOLDEN) as file:
        return [json.loads(line) for line in io.TextIOWrapper(file, "utf-8")]


@pytest.fixture(scope="module")
def ours(golden) -> list[dict]:
    pytest.importorskip("spacy")
    return answers([row["text"] for row in golden])


@pytest.mark.parametrize("asked", ASKED)
def test_every_answer_is_datatroves(golden, ours, asked):
    differ = {
        row["id"]: (row[asked], our[asked]) for row, our in zip(golden, ours, strict=True) if row[asked] != our[asked]
    }
    assert not differ


def test_answers_do_not_depend_on_neighbors(golden, ours):
    pytest.importorskip("spacy")
    for first in (0, 700):
        assert answers([row["text"] for row in golden[first : first + 20]]) == ours[first : first + 20]


def test_the_documents_reach_nearly_every_rule(golden):
    """A rule that no document breaks is not tested; those left out are broken with fewer words."""
    for name in ALONE:
        reached = Counter(row[name] for row in golden)
        rare = {f"duplicated_{n}_n_grams" for n in range(6, 11)}
        assert set(REASONS[name]) - reached.keys() <= rare


def test_words_of_our_own_seldom_decide_otherwise(golden):
    """The documents are the hardest there are: on English web pages and prose agreement is above 99 %."""
    ours = answers([row["text"] for row in golden], "unicode")
    for name in ALONE:
        alike = sum(bool(row[name]) == bool(our[name]) for row, our in zip(golden, ours, strict=True))
        assert alike / len(golden) > 0.95


def test_no_letter_digit_or_mark_lies_beyond_the_planes_that_are_looked_at():
    kinds = {unicodedata.category(chr(code)) for code in range(PLANES, 0x110000)}
    assert not any(kind[0] in "LP" or kind == "Nd" for kind in kinds)
