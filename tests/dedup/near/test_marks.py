"""Marks of punctuation and symbols: what they tell apart, and where they are looked at."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.near.marks import DENSE, live_bytes, marked_shingle_sets, symbol_shares
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.pipelines.ragged import Ragged
from tests.dedup.near.test_near_duplicates import near, prose
from tests.reference import shingles as reference

pieces = st.sampled_from(
    ["a", "B1", "_x", "é", "ก", "漢字", "漢", " ", "\n", "+", "-", "−", "→", "…", "。", "\u0301", "İ", "🙂"]
)
texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=30).map("".join))


@given(st.lists(texts, max_size=5), st.integers(1, 6))
def test_sets_and_shares_answer_as_the_reference(texts, words):
    rows = Ragged.from_strings(texts)
    shares = symbol_shares(rows)
    assert shares.tolist() == [reference.symbol_share(text) for text in texts]
    sets = marked_shingle_sets(rows, shares, words)
    slow = [reference.marked_shingles(text, words) for text in texts]
    fast = [set(sets.data[a:b].tolist()) for a, b in pairwise(sets.offsets)]
    assert np.diff(sets.offsets).tolist() == [len(s) for s in slow]
    for i in range(len(texts)):
        for j in range(i):
            assert len(fast[i] & fast[j]) == len(slow[i] & slow[j])


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_damaged_text_is_read_to_its_end(rows):
    text = Ragged.from_strings(rows)
    shares = symbol_shares(text)
    assert ((shares >= 0) & (shares <= 1)).all() and (live_bytes(text, shares >= DENSE) >= 0).all()
    assert marked_shingle_sets(text, np.ones(text.rows), 5).rows == text.rows


def lines(make, count=60):
    return "\n".join(make(i) for i in range(count))


CODE = lines(lambda i: f"if (left{i} < right[{i}]) {{ total{i} += scale * {i}; }}")
TABLE = lines(lambda i: f"{i * 37 % 101}.{i * 53 % 97} , {i * 71 % 89}")
FORMULAS = lines(lambda i: f"x{i} + y{i} * (a{i} - b{i}) = z{i}")
STORY = " ".join(f"{word}," if place % 9 == 0 else word for place, word in enumerate(prose(5, 400)))


def commented(text, sign):
    return "\n".join(f"{sign} {line}" for line in text.split("\n"))


@pytest.mark.parametrize(
    ("left", "right", "alike"),
    [
        (CODE, commented(CODE, "//"), False),
        (CODE, commented(CODE, "#"), False),
        (CODE, CODE.replace("<", ">"), False),
        (CODE, CODE.replace("+=", "-="), False),
        (TABLE, TABLE.replace(".", "-"), False),
        (TABLE, TABLE.replace(".", " "), False),
        (FORMULAS, FORMULAS.replace("+", "-"), False),
        (FORMULAS, FORMULAS.replace("-", "\u2212"), False),
        (CODE, CODE.replace("    ", "\t").upper(), True),  # case and white space are no marks
        (CODE, CODE + "\nend();", True),
        (TABLE, TABLE.replace("36", "37"), True),
        (STORY, STORY.replace(",", ""), True),  # prose: its words decide
        (STORY, STORY.replace(",", " -"), True),
    ],
)
def test_marks_tell_code_tables_and_formulas_apart_and_not_prose(tmp_path, left, right, alike):
    gone, found, _ = near(tmp_path, [("a", left), ("b", right)])
    assert bool(gone) is alike
    marks = found["mark_similarity"].drop_nulls().to_list()
    assert all(similarity >= 0.8 for similarity in marks) and len(marks) == (alike and left is not STORY)


@pytest.mark.parametrize("copy", [f"/*\n{CODE}\n*/", f"<!--\n{CODE}\n-->", f"{CODE}\n" + commented(CODE[:300], "//")])
def test_live_code_is_kept_before_a_longer_copy_that_is_commented_out(tmp_path, copy):
    other = CODE if copy.startswith(("/", "<")) else CODE + "\n" + CODE[:300]
    gone, *_ = near(tmp_path, [("a", copy), ("b", other)], NearDuplicates(threshold=0.5))
    assert gone == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("a = (b)", 7),
        ("# a = b", 0),
        ("a = b\n  // c(d);\n-- e\n%f\n;g", 9),  # the line breaks of comments stay
        ("/* a\nb = c; */\nd();", 6),
        ("/* a */\nd();", 5),
        ("a = '/*';\nb = c;", 16),
        ("/a = (b);\n-x(y);", 16),  # one sign begins no comment
        ("<!DOCTYPE html>\n<p>", 19),
        ("<!-- a\n--->\n<p>", 5),
        ("/*/\na;\n*/\nb;", 5),
        ("# a heading with words of prose and no other symbol", 51),  # prose has no comments
        ("", 0),
    ],
)
def test_bytes_outside_comments(text, outside):
    rows = Ragged.from_strings([text])
    assert live_bytes(rows, symbol_shares(rows) >= DENSE).tolist() == [outside]
