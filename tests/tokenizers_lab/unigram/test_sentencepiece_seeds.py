"""SentencePiece's seeds: those of whole sentences, got from counted words; and the vocabulary that comes of them."""

import io
import json

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.count_settings import CountSettings
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from gristmill.tokenizers_lab.unigram.seeds import seeds
from gristmill.tokenizers_lab.unigram.sentencepiece_seeds import mark_line_ends, split_lines, unmark_words
from tests.reference import sentencepiece_seeds as plain

SCRIPTS = {"a": "Latin", "b": "Latin", "é": "Latin", "я": "Cyrillic", "漢": "Han", "か": "Han", "ー": "Han", "x": ""}
SCRIPTS |= {"1": "Common", ".": "Common", "▁": None, "\u0301": None}
LINES = st.lists(st.lists(st.text("abéя漢かー1.\u0301x", min_size=1, max_size=5), min_size=1, max_size=4), max_size=6)


@given(LINES, st.integers(2, 5))
def test_seeds_are_those_of_the_sentences(lines, longest):
    sentences = ["".join("▁" + word for word in line) for line in lines]
    counts = count_words([mark_line_ends(Ragged.from_strings(sentences))], "metaspace")
    found = seeds(*counts, 10_000, longest, kept={*SCRIPTS} - {"x"}, as_sentencepiece=True)
    ours = {found.pieces.row(row).decode(): weight for row, weight in enumerate(found.weights)}
    assert {p: n for p, n in ours.items() if len(p) > 1} == plain.seeds(sentences, SCRIPTS.get, longest)
    text = "".join(sentences).replace("x", "")
    assert {p: n for p, n in ours.items() if len(p) == 1} == {c: text.count(c) for c in text}


@given(LINES)
def test_words_are_counted_as_without_ends(lines):
    sentences = ["".join("▁" + word for word in line) for line in lines]
    words, counts = unmark_words(*count_words([mark_line_ends(Ragged.from_strings(sentences))], "metaspace"))
    expected = count_words([Ragged.from_strings(sentences)], "metaspace")
    assert words.data.tolist() == expected.words.data.tolist() and counts.tolist() == expected.counts.tolist()
    assert words.offsets.tolist() == expected.words.offsets.tolist()


@given(st.lists(st.text("ab\n", max_size=9), max_size=4))
def test_lines_are_rows(documents):
    rows = split_lines(Ragged.from_strings(documents))
    expected = [line for document in documents for line in document.split("\n")]
    assert [rows.row(row).decode() for row in range(rows.rows)] == expected
    marked = mark_line_ends(rows)
    assert [marked.row(row).decode() for row in range(marked.rows)] == [line + "\0" for line in expected if line]


def test_the_limit_falls_where_sentencepieces_does():
    """Of equal weights the shorter stays, then the smaller bytes."""
    sentences = ["▁dc", "▁dcx", "▁ba", "▁bax", "▁efgh", "▁q"]
    counts = count_words([mark_line_ends(Ragged.from_strings(sentences))], "metaspace")
    for limit, pieces in ((2, ["▁ba", "▁dc"]), (3, ["ba", "▁ba", "▁dc"])):
        found = seeds(*counts, limit, 3, as_sentencepiece=True)
        more = [found.pieces.row(row).decode() for row in range(found.pieces.rows)]
        assert sorted(piece for piece in more if len(piece) > 1) == pieces


@pytest.mark.slow
def test_the_vocabulary_is_nearly_sentencepieces(shared_data):
    from benchmarks.near_duplicates import read

    novel = read(str(shared_data / "multiscript_ja_neko.jsonl.zst"))[0]["text"]
    lines = [line for line in novel.split("\n") if line.strip()]
    data = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=data, model_type="unigram", vocab_size=4000, minloglevel=2,
        max_sentence_length=1 << 20, num_threads=1, character_coverage=0.9995,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=data.getvalue())
    wanted = {"seed_method": "sentencepiece", "character_coverage": 0.9995, "byte_fallback": False}
    normal = ["nmt_nfkc", "collapse", "prefix", "escape"]
    settings = TokenizerSettings(algorithm="unigram", vocab_size=4000, normalizers=normal, unigram=wanted)
    counting = settings.count_settings()
    assert counting == CountSettings("metaspace", tuple(normal), (), ("<unk>", "<s>", "</s>"), True)
    model = train(count_words([counting(Ragged.from_strings(lines))], "metaspace"), settings)
    ours = {piece.decode() for piece in model.pieces}
    common = sum(theirs.id_to_piece(id) in ours for id in range(4000)) / 4000
    assert common >= 0.97, json.dumps(common)
    assert np.isfinite(model.scores[3:]).all()
