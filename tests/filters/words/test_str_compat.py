"""White space, lines and lengths are those of Python's own str and re."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.words.str_compat import lengths, split_at_newlines, stripped
from gristmill.pipelines.ragged import Ragged

SPACES = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
TEXTS = st.lists(st.text(st.sampled_from(SPACES + "\n\n\nab é字😀\u200b\ufeff\0"), max_size=15), max_size=4)


@given(TEXTS)
def test_stripped_is_strip(texts):
    for text in texts:
        data = Ragged.from_strings([text]).data
        begin, end = stripped(data, 0, data.size)
        assert data[begin:end].tobytes().decode() == text.strip()


@given(TEXTS)
def test_lengths_are_characters(texts):
    assert lengths(Ragged.from_strings(texts)).tolist() == [len(text) for text in texts]


@given(TEXTS)
def test_parts_are_those_of_split(texts):
    text = Ragged.from_strings(texts)
    for cut, expected in (
        ({}, lambda text: text.split("\n")),
        ({"runs": True}, lambda text: re.split("\n+", text)),
        ({"least": 2, "runs": True, "strip": True}, lambda text: re.split("\n{2,}", text.strip())),
    ):
        parts = split_at_newlines(text, **cut)
        found = [text.data[a:b].tobytes().decode() for a, b in zip(parts.start, parts.end, strict=True)]
        by_row = [found[a:b] for a, b in zip(parts.offsets[:-1], parts.offsets[1:], strict=True)]
        assert by_row == [expected(text) for text in texts]
        assert parts.length.tolist() == [len(part) for part in found]
        keys = dict(zip(found, parts.key.tolist(), strict=True))
        assert [keys[part] for part in found] == parts.key.tolist() and len(set(keys.values())) == len(keys)
