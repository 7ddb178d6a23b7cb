"""The best segmentation is the one of the plain model, and SentencePiece's own, id for id."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.formats.sentencepiece import to_sentencepiece
from gristmill.tokenizers_lab.unigram import encode as unigram_encode
from gristmill.tokenizers_lab.unigram.encode import LINE_BYTES, UnigramEncoder
from tests.reference import unigram as plain

scores_of = st.dictionaries(
    st.text("▁abé漢", min_size=1, max_size=4), st.floats(-9, -0.125, width=32), min_size=1, max_size=9
)


def encode(encoder, text):
    ids = encoder(Ragged.from_strings([text]))
    return ids.data.tolist()


@given(scores_of, st.lists(st.text("▁abé漢c", max_size=24), max_size=4))
def test_ids_are_those_of_the_plain_model(scores, texts):
    pieces = [b"<unk>", *(piece.encode() for piece in scores)]
    encoder = UnigramEncoder(pieces, np.array([np.nan, *scores.values()], np.float32), unknown=0)
    number = {piece: id for id, piece in enumerate(scores, 1)}
    values = {piece: float(np.float32(score)) for piece, score in scores.items()}
    unknown = min(values.values()) - 10
    for _ in range(2):  # with an empty and with a full table
        ids = encoder(Ragged.from_strings(texts))
        for row, text in enumerate(texts):
            found = ids.data[ids.offsets[row] : ids.offsets[row + 1]].tolist()
            way = plain.best(text, values, unknown)[1]
            assert cost(found, pieces, values, unknown, text) == pytest.approx(
                sum(values.get(piece, unknown) for piece in way), abs=1e-3
            )
            fused = [i for k, i in enumerate(found) if i or not k or found[k - 1]]
            assert found == fused and set(found) <= {0, *number.values()}


def test_what_new_memory_holds_changes_no_ids(monkeypatch):
    encoder = UnigramEncoder([b"<unk>", b"ab", b"c"], np.array([np.nan, -1, -2], np.float32), unknown=0)
    assert encode(encoder, "abcab" * 9) == [1, 2, 1] * 9

    def full(shape, dtype):
        return np.full(shape, np.iinfo(dtype).max, dtype)

    monkeypatch.setattr(unigram_encode, "np", SimpleNamespace(**vars(np) | {"empty": full}))
    assert encode(encoder, "abcab" * 9) == [1, 2, 1] * 9


def cost(ids, pieces, values, unknown, text):
    """The score of ids that tile the text; a run of unknown characters is one id."""
    total, at, text = 0.0, 0, text
    for k, id in enumerate(ids):
        if id:
            piece = pieces[id].decode()
            assert text.startswith(piece, at)
            total, at = total + values[piece], at + len(piece)
        else:
            following = pieces[ids[k + 1]].decode() if k + 1 < len(ids) else None
            stop = len(text) if following is None else None
            while True:
                total, at = total + unknown, at + 1
                if (stop is None and text.startswith(following, at)) or at == stop:
                    break
    assert at == len(text)
    return total


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A model of SentencePiece with and without byte fallback, as its processor and as our encoder."""
    folder, made = tmp_path_factory.mktemp("spm"), {}
    words = [
        f"{a}{b}{c}"
        for a in ("un", "re", "pre", "")
        for b in ("load", "write", "form", "漢字", "été")
        for c in ("ing", "s", "")
    ]
    rng = random.Random(0)
    lines = [" ".join(rng.choices(words, k=12)) for _ in range(400)]
    (folder / "text").write_text("\n".join(lines))
    for fallback in (False, True):
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "text"), model_prefix=str(folder / "m"), vocab_size=320 if fallback else 64,
            model_type="unigram", character_coverage=1.0, normalization_rule_name="identity", byte_fallback=fallback,
            hard_vocab_limit=False, num_threads=1, minloglevel=2,
        )  # fmt: skip
        theirs = sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model"))
        ids = range(theirs.get_piece_size())
        text = [
            not (theirs.is_control(i) or theirs.is_unknown(i) or theirs.is_unused(i) or theirs.is_byte(i)) for i in ids
        ]
        scores = np.array([theirs.get_score(i) if text[i] else np.nan for i in ids], np.float32)
        bytes_from = theirs.piece_to_id("<0x00>") if fallback else -1
        ours = UnigramEncoder(
            [theirs.id_to_piece(i).encode() for i in ids], scores, theirs.unk_id(), bytes_from, lines=64
        )
        made[fallback] = theirs, ours
    return made, lines


@pytest.mark.parametrize("fallback", [False, True])
def test_ids_are_sentencepieces(models, fallback):
    made, lines = models
    theirs, ours = made[fallback]
    rng = random.Random(1)
    texts = [
        *lines[:50],
        " ".join(lines),
        "",
        "x",
        "日本 語 xx reload",
        *("".join(rng.choices("unreload 漢é日x", k=60)) for _ in range(300)),
    ]
    for text in texts:
        words = text.split()
        assert encode(ours, "▁" + "▁".join(words) if words else "") == theirs.encode(" ".join(words)), text


@given(st.lists(st.binary(max_size=40) | st.text("▁ab漢", max_size=9).map(str.encode), max_size=4))
def test_bytes_of_no_character_come_back(texts):
    pieces = ["a", "ab", "▁", "▁a", "漢", "a漢", "\ufffd"]
    pieces = [b"<unk>", *(bytes([b]) for b in range(256)), *map(str.encode, pieces)]
    scores = np.array([np.nan] * 257 + [-1, -2, -3, -1, -2, -9, -1], np.float32)
    ids = UnigramEncoder(pieces, scores, 0, 1)(Ragged.from_strings(texts))
    for row, text in enumerate(texts):
        assert b"".join(pieces[id] for id in ids.data[ids.offsets[row] : ids.offsets[row + 1]]) == text


def test_far_into_a_document_rounding_decides_alike(models):
    """Sums of float32 beyond 16,000 tell ways apart by 0.002, and beyond 100,000 start anew."""
    made, _ = models
    theirs, ours = made[False]
    rng = random.Random(2)
    words = [
        "".join(rng.choices(("un", "re", "load", "write", "s", "ing", "漢", "字", "é"), k=rng.randint(1, 9)))
        for _ in range(40_000)
    ]
    assert encode(ours, "▁" + "▁".join(words)) == theirs.encode(" ".join(words))


def test_segmentations_closer_than_rounding_are_chosen_in_the_sum_of_the_document():
    """Two segmentations of "abc" differ by 0.001, which float32 rounds away beyond a sum of some 8,000."""
    scores = {"▁": -0.4, "a": -1.1, "ab": -1.6, "bc": -1.501, "c": -1.0, "b": -9.0}
    pieces = [b"<unk>", *(piece.encode() for piece in scores)]
    values = np.array([np.nan, *scores.values()], np.float32)
    normal = ("prefix", "escape")
    model = Model(
        "unigram", "metaspace", pieces, scores=values, special={"<unk>": 0}, roles={"unknown": "<unk>"},
        alphabet="characters", normalizers=normal,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=to_sentencepiece(model))
    ids = encode(UnigramEncoder(pieces, values, unknown=0), "▁abc" * 30_000)
    assert ids == theirs.encode(" ".join(["abc"] * 30_000))
    assert min(ids.count(pieces.index(b"ab")), ids.count(pieces.index(b"bc"))) > 100  # rounding decides, both ways


def plain_ids(text, scores):
    """The best segmentation of each word after ▁, by number; no two are equally good here."""
    number = {piece: id for id, piece in enumerate(scores, 1)}
    words = ["▁" + word for word in text.split("▁")[1:]]
    return [number[piece] for word in words for piece in plain.best(word, scores, -99.0)[1]]


@pytest.mark.parametrize("length", [*range(1, 20), LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, LINE_BYTES + 2, 70])
@pytest.mark.parametrize("marked", [True, False])
def test_segments_at_the_limits_of_a_cache_line(length, marked):
    """Bytes up to LINE_BYTES, ids up to LINE_IDS, words up to UNSPLIT_BYTES: new, cached, and at the text's end."""
    scores = {"▁": -2.0, "▁a": -2.5, "a": -1.25, "b": -1.75, "aa": -1.875, "aab": -2.125, "abab": -2.25}
    scores |= {"a" * 12: -3.125}  # sums are exact in float32
    encoder = UnigramEncoder([b"<unk>", *(p.encode() for p in scores)], np.array([np.nan, *scores.values()]), 0)
    for word in ("a" * length, "ab" * (length // 2) + "a" * (length % 2), "b" * length):
        for text in (f"▁{word}", f"▁{word}▁b", f"▁b▁{word}▁{word}▁a"):
            expected = plain_ids(text, scores)
            if not marked:
                text, expected = word, [1 + list(scores).index(p) for p in plain.best(word, scores, -99.0)[1]]
            ids = encoder(Ragged.from_strings([text, text, text]))
            assert ids.data.tolist() == 3 * expected, text


@pytest.mark.parametrize("text", ["▁" + "a" * 300_000, "▁" + "un" * 200_000, "▁" * 300_000, "▁" + "漢" * 100_000])
def test_long_words_take_linear_time(models, text):
    made, _ = models
    theirs, ours = made[True]
    ids = encode(ours, text)
    assert theirs.decode(ids).replace(" ", "").replace("▁", "") == text.replace("▁", "")
