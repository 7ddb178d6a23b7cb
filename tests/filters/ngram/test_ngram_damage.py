"""Damaged n-gram models are refused when they are opened, or scored without harm."""

import io

import numpy as np
import orjson
import pytest
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.formats.arpa import read_arpa, write_arpa
from gristmill.filters.ngram.model import HEAD, NGram
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged

TEXT = Batch(Ragged.from_strings(["the mill grinds the grain\nthe grain is ground"]))
SETTINGS = NGramSettings(order=3, discount_fallback=[0.5, 1.0, 1.5])


def write(path, quantize=False, header=None, **arrays):
    """Write a model with some arrays and some of its header replaced."""
    model = train([TEXT], SETTINGS.model_copy(update={"quantize": quantize}))
    vocabulary = model.vocabulary._replace(slots=arrays.pop("slots", model.vocabulary.slots))
    offsets, data = vocabulary.words
    words = Ragged(arrays.pop("word_offsets", offsets), arrays.pop("word_bytes", data))
    vocabulary = vocabulary._replace(words=words)
    model = model._replace(vocabulary=vocabulary, **arrays)
    model = model._replace(metadata={**model.metadata, **(header or {})})
    model.save(UPath(path))
    return path


@pytest.fixture
def model():
    return train([TEXT], SETTINGS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"begins": m.begins[:-1]}, r"shape of begins is \(4,\), expected \(5,\)"),
        (lambda m: {"begins": m.begins * 2}, r"begins is .* rise from 0 to"),
        (lambda m: {"begins": m.begins[[0, 1, 3, 2, 4]]}, r"begins is .* rise from 0 to"),
        (lambda m: {"begins": m.begins - 1}, r"begins is .* rise from 0 to"),
        (lambda m: {"begins": np.array([0, 0, -5, 0, m.begins[-1]])}, r"begins is .* rise from 0 to"),
        (lambda m: {"cells": m.cells[:-2]}, r"begins is .* rise from 0 to"),
        (lambda m: {"cells": m.cells[:-1]}, r"size of cells .* multiple of 2"),
        (lambda m: {"unigrams": m.unigrams[:2]}, r"shape of unigrams"),
        (lambda m: {"unigrams": m.unigrams[:-1]}, r"shape of word_offsets"),
        (lambda m: {"unigrams": m.unigrams[:, :1]}, r"shape of unigrams"),
        (lambda m: {"word_offsets": m.vocabulary.words.offsets[::-1]}, r"word_offsets is .* rise from 0 to"),
        (lambda m: {"codes": np.zeros((3, 2, 256), np.float32)}, r"shape of codes is \(3, 2, 256\), expected \(0,"),
        (lambda m: {"slots": m.vocabulary.slots[:-2]}, "size of slots .* power of two"),
        (lambda m: {"slots": m.vocabulary.slots[:0]}, "size of slots .* power of two"),
        (lambda m: {"slots": m.vocabulary.slots | np.uint64(1)}, "number of free slots is 0, expected 1 or more"),
        (lambda m: {"slots": m.vocabulary.slots + np.uint64(2**40)}, "an id of slots is .*, expected 0 to"),
        (lambda m: {"word_bytes": m.vocabulary.words.data.view(np.int8)}, r"array word_bytes is \['\|i1'"),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(model, tmp_path, change, message):
    path = write(tmp_path / "m", **change(model))
    with pytest.raises(InputError, match=rf"m is damaged: .*{message}"):
        NGram.open(UPath(path))


@pytest.mark.parametrize(
    "change", [{"order": 0}, {"order": "3"}, {"bits": 64}, {"bits": 0}, {"quantized": 1}, {"units": None}]
)
def test_headers_that_do_not_fit_are_one_line(tmp_path, change):
    path = write(tmp_path / "m", header=change)
    with pytest.raises(RecipeError, match=rf"m, header: {next(iter(change))}: .*found"):
        NGram.open(UPath(path))


@pytest.mark.parametrize("change", [{"order": 2**31}, {"order": 2}, {"quantized": True}])
def test_headers_of_another_model_are_one_line(tmp_path, change):
    with pytest.raises(InputError, match=r"m is damaged: (shape|size) of"):
        NGram.open(UPath(write(tmp_path / "m", header=change)))


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, -64), (2, 2**40), (2, 3), (1, [2**62]), (1, [-1]), (1, [True]), (1, [0, 2**63]), (1, "5"), (0, "<u2")],
)
def test_a_layout_outside_the_file_is_one_line(tmp_path, place, value):
    data = write(tmp_path / "m").read_bytes()
    end = data.index(b"\n")
    header = orjson.loads(data[HEAD:end])
    header["arrays"]["cells"][place] = value
    changed = data[:HEAD] + orjson.dumps(header)
    (tmp_path / "m").write_bytes(changed + b" " * (-(len(changed) + 1) % 64) + data[end:])
    with pytest.raises(InputError, match=r"m is damaged: array cells (is|has shape) "):
        NGram.open(UPath(tmp_path / "m"))


@pytest.mark.parametrize("cell", [1, 7, 2**64 - 1])
@pytest.mark.parametrize("quantize", [False, True])
def test_tables_without_a_free_cell_are_searched_once(tmp_path, model, quantize, cell):
    cells = np.full(model.begins[-1] * (1 if quantize else 2), cell << 16 & 2**64 - 1 if quantize else cell, np.uint64)
    opened = NGram.open(UPath(write(tmp_path / "m", quantize, cells=cells)))
    assert opened.score(opened.stream(TEXT).ids).size == 13


def test_cells_of_unknown_words_are_no_arpa(tmp_path, model):
    opened = NGram.open(UPath(write(tmp_path / "m", cells=np.full(model.cells.size, 2**63, np.uint64))))
    with pytest.raises(InputError, match="m is damaged: cells of order 2"):
        write_arpa(opened, io.BytesIO(), "m")


def test_ids_above_the_vocabulary_are_not_scored(model):
    with pytest.raises(InputError, match=r"id 9 is not in the n-gram model's vocabulary of 9"):
        model.score(np.array([1, 9], np.uint32))


def test_words_of_arpa_that_are_no_unigrams_are_one_line(model):
    file = io.BytesIO()
    write_arpa(model, file)
    text = file.getvalue().decode().replace("\tthe mill\t", "\tthe mall\t")
    with pytest.raises(InputError, match=r"a\.arpa has an n-gram of 2 words with 'mall', which is no unigram"):
        read_arpa(io.StringIO(text), "a.arpa")
