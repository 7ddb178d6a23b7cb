"""Shapes: the kernel's are those of the regular expressions, and spaCy's patterns see no more than they hold."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.words.spacy_chunks import ChunkSplitter
from gristmill.filters.words.spacy_shapes import (
    CURSED,
    DIGIT,
    LONGEST,
    characters,
    hash_shapes,
    shape_of,
)
from gristmill.pipelines.ragged import Ragged

spacy = pytest.importorskip("spacy")

CASES = ["don't", "'s", "I'm", "Mr.", "e.g.", ":)", "8)", "):", "o.O", "''", "(:", "x.x", "cant", "10am", "C++", "’s"]
CHARACTERS = "aZsSéЯ字ก\u0301²٣\0$_.-'7’。♥€（%§°"
PARTS = st.sampled_from([*CHARACTERS, *CASES, CURSED, "km", "5km", "US$"])
CHUNKS = st.lists(PARTS | st.text("abSs", min_size=3, max_size=5), min_size=1, max_size=9).map("".join)


@pytest.fixture(scope="module")
def splitter():
    return ChunkSplitter()


def columns(chunks):
    text = Ragged.from_strings(chunks)
    return text.data, text.offsets[:-1].astype(np.int32), text.offsets[1:].astype(np.int32)


def tokens_of(splitter, chunks):
    found = splitter.split(*columns(chunks))
    tokens = [[] for _ in chunks]
    for chunk, start, end in zip(found.chunk, found.start, found.end, strict=True):
        tokens[chunk].append(chunks[chunk].encode()[start:end].decode())
    return tokens


SHAPES = [
    ("a", "q"),
    ("Mills", "q"),
    ("a.", "q."),
    ("A.", "Q."),
    ("aB.", "qQ."),
    ("aBC.", "qQQ."),
    ("aBCD.", "qQQ."),
    ("Miss.", "qqq."),
    ("US.)", "QQ.)"),
    ("x's", "q's"),
    ("x’S.", "q’S."),
    ("x's't", "q's'q"),
    ("x'ss", "q'q"),
    ("s", "q"),
    ("字幕a", "q"),
    ("aทย", "qก"),
    ("ทยa-", "กq-"),
    ("ไทยไท", "ก"),
    ("ไท.", "กก."),
    ("字.", "一."),
    ("12,345.6", "7,7.7"),
    ("1.2.3", "7.7.7"),
    ("1.2.3.4", ""),
    ("a1", "q7"),
    ("1a", "7q"),
    ("1m", ""),
    ("1km/h", ""),
    ("1kmx", "7q"),
    ("1T2", ""),
    ("US$", ""),
    ("$a", "$q"),
    ("5$", "7$"),
    ("°F.", ""),
    ("x½", "qก"),
    ("x²", ""),
    ("٣", "ก"),
    ("♥", "♥"),
    ("a.b", ""),
    ("a.-b", "q.-q"),
    ("a.。", ""),
    ("AS_ALPHA", "q_q"),
    ("IS_ALPH", "q_q"),
    ("xIS_ALPHAx", ""),
    ("-" * LONGEST, "-" * LONGEST),
    ("-" * LONGEST + "-", ""),
    ("z" * 99, "q"),
]


@pytest.mark.parametrize(("chunk", "shape"), SHAPES)
def test_shapes(chunk, shape):
    assert shape_of(chunk) == shape


@given(st.lists(CHUNKS, min_size=1, max_size=8))
@example([chunk for chunk, _ in SHAPES])
def test_the_kernel_tells_the_shapes_apart(chunks):
    table, hashes = characters(), np.empty(len(chunks), np.uint64)
    hash_shapes(*columns(chunks), table.numbers, table.blocks, table.units, hashes)
    shapes = [shape_of(chunk) for chunk in chunks]
    assert [not each for each in hashes] == [not shape for shape in shapes]
    pairs = set(zip(shapes, hashes.tolist(), strict=True))
    assert len(pairs) == len(set(shapes)) == len(set(hashes.tolist()))


@given(st.lists(CHUNKS, min_size=1, max_size=8))
def test_chunks_are_cut_as_spacy_cuts_each(splitter, chunks):
    asked = splitter.language.tokenizer
    expected = [[token.text for token in asked(chunk)] for chunk in chunks if CURSED not in chunk]
    found = tokens_of(splitter, [chunk for chunk in chunks if CURSED not in chunk])
    assert [[t for t in each if not t.isspace()] for each in expected] == found


def test_a_special_case_is_no_example_of_its_shape(splitter):
    assert tokens_of(splitter, ["Mr.", "Bo.", "cant", "sent"]) == [["Mr."], ["Bo", "."], ["ca", "nt"], ["sent"]]


def test_no_pattern_of_spacy_knows_a_letter(splitter):
    numbers, blocks, *_ = characters()
    kinds = blocks[np.repeat(numbers.astype(np.int64) * 256, 256) + np.tile(np.arange(256), numbers.size)]
    letters = "".join(map(chr, np.flatnonzero((kinds > 0) & (kinds < DIGIT))))
    asked = splitter.tokenizer
    assert len(letters) > 100_000
    assert not asked.find_infix(letters)
    assert not any(asked.find_prefix(letter) or asked.find_suffix(letter) for letter in letters)


def test_spacy_is_imported_without_torch_where_no_other_code_runs():
    source = """
import sys
from gristmill.pipelines.arrow_alone import keep_pandas_out, let_pandas_in
{}
from gristmill.filters.words.spacy_chunks import chunk_splitter
chunk_splitter()
print("torch" in sys.modules)
"""
    said = [
        subprocess.run([sys.executable, "-c", source.format(call)], capture_output=True, text=True, check=True).stdout
        for call in ("keep_pandas_out()", "keep_pandas_out(), let_pandas_in()")
    ]
    installed = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode == 0
    assert said == ["False\n", f"{installed}\n"]
