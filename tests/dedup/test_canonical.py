"""Canonically equal text is equal, without soft hyphens and zero-width characters, for documents and passages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.passages.split import cut_passages
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.canonical import canonical
from tests.dedup.exact.test_exact import duplicates
from tests.dedup.near.test_near_duplicates import near, prose
from tests.reference import canonical as reference

HIDDEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\ufe0f\u034f"
MARKS = "\u064e\u0651\u0e38\u0e48\u0301\u0323\u0344\u1161\u11a8"
pieces = st.sampled_from([*HIDDEN, *MARKS, *"aeé字 \n\u1100\uac00\u212b"])
texts = st.lists(pieces, max_size=12).map("".join) | st.text()


@given(st.lists(texts, max_size=6))
def test_canonical_text_answers_as_unicode(rows):
    found = canonical(Ragged.from_strings(rows))
    assert [found.row(i).decode() for i in range(len(rows))] == list(map(reference.canonical, rows))


@given(st.lists(texts.map(str.encode) | st.binary(max_size=6) | st.just(b"e\xcc\x81\xe2\x80"), max_size=6))
def test_damaged_rows_stay_as_they_are(rows):
    found = canonical(Ragged.from_strings(rows))
    for i, row in enumerate(rows):
        try:
            expected = reference.canonical(row.decode()).encode()
        except UnicodeDecodeError:
            expected = row
        assert found.row(i) == expected


@pytest.mark.parametrize("letters", range(18))
def test_a_change_is_found_after_any_number_of_letters_and_at_the_end_of_a_row(letters):
    rows = ["a" * letters + "e\u0301", "b" * (17 - letters), "e\u0301" + "c" * letters]
    found = canonical(Ragged.from_strings(rows))
    assert [found.row(i).decode() for i in range(3)] == ["a" * letters + "é", rows[1], "é" + "c" * letters]


@pytest.mark.parametrize("rows", [[], [""], ["plain", "text\n"], ["é", "字 漢"]])
def test_text_that_is_canonical_is_not_copied(rows):
    text = Ragged.from_strings(rows)
    assert canonical(text) is text


EQUAL = [
    ("caf\u00e9 noir", "cafe\u0301 noir"),
    ("\ud55c\uad6d\uc5b4", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165"),
    ("dictionary", "dic\u00adtion\u00adary"),
    ("zero width", "ze\u200bro\u2060 width\ufeff"),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_text_is_an_exact_and_a_near_duplicate_and_a_repeated_passage(tmp_path, left, right):
    assert len(duplicates(tmp_path / "exact", {"p": [("1", left, "x"), ("2", right, "x")]}, Exact())) == 1
    words = prose(1, 60)
    text = [(id, " ".join(f"{word} {part}" for word in words)) for id, part in (("1", left), ("2", right))]
    gone, found, _ = near(tmp_path / "near", text)
    assert len(gone) == 1 and found["similarity"].drop_nulls().to_list() == [1.0]
    rows = Ragged.from_strings([f"{left}\n{right}\nother"])
    first, second, third = cut_passages(rows, "line").hashes(rows).tolist()
    assert first == second != third


def test_what_is_kept_is_as_it_was(tmp_path):
    text = Ragged.from_strings(["cafe\u0301\u200b"])
    before = text.data.copy()
    canonical(text)
    assert np.array_equal(text.data, before)
