import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.excerpt import excerpt as plain_excerpt

from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.ragged import Ragged

# Only what every Unicode version here knows alike; accents, Hangul and Devanagari in pieces come up often.
CHARACTER = st.characters(max_codepoint=0x2FFFF, exclude_categories=["Cs", "Cn"]) | st.sampled_from(
    "\u02ff\u0300\u115f\u1160\u11ff\u1200aAéÉe\u0301\u0323ÅǅȺ가\u1100\u1161\u11a8\u0915\u093cＡ字😀\n\0\u2028"
)
TEXT = st.text(CHARACTER)


@given(texts=st.lists(TEXT), max_bytes=st.none() | st.integers(8, 40))
def test_equals_its_plain_twin(texts, max_bytes):
    read = sample_slices(Ragged.from_strings(texts), max_bytes).to_text().to_pylist()
    expected = [plain_excerpt(text, max_bytes) for text in texts]
    assert read == expected


def test_a_short_document_is_read_whole_and_a_long_one_in_four_slices():
    texts = ["x" * 64, "a" * 40 + "b" * 40 + "c" * 40 + "d" * 40, ""]
    read = sample_slices(Ragged.from_strings(texts), 64).to_text().to_pylist()
    assert read == ["x" * 64, "\n".join(char * 16 for char in "abcd"), ""]


@pytest.mark.parametrize("cap", [8, 9, 11, 12, 64])
@pytest.mark.parametrize("character", ["a", "é", "字", "😀"])
def test_sizes_around_the_cap_are_those_of_the_twin(cap, character):
    texts = ["b" * more + character * (cap // len(character.encode())) for more in range(8)]
    read = sample_slices(Ragged.from_strings(texts), cap).to_text().to_pylist()
    assert read == [plain_excerpt(text, cap) for text in texts]


@pytest.mark.parametrize(
    ("text", "read"),
    [("ALL CAPITALS ÉÀ", "all capitals éà"), ("NOT ALL CAPITALs", "NOT ALL CAPITALs"), ("字 123", "字 123")],
)
def test_a_shouted_document_is_put_in_lower_case(text, read):
    assert sample_slices(Ragged.from_strings([text]), None).row(0).decode() == read


def test_accents_are_composed():
    assert sample_slices(Ragged.from_strings(["e\u0301tude", "etude"]), None).to_text().to_pylist() == [
        "étude",
        "etude",
    ]
    assert unicodedata.normalize("NFC", "e\u0301tude") == "étude"
