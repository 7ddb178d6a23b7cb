"""SentencePiece's files: models of ours encode there as here, models of theirs here as there."""

import io
import random

import pytest
import sentencepiece

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.formats.sentencepiece import from_sentencepiece, to_sentencepiece
from gristmill.tokenizers_lab.normalize.normalizers import normalize
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, UnigramSettings, train

RNG = random.Random(2)
WORDS = [
    a + b + c
    for a in ("un", "re", "pre", "")
    for b in ("load", "write", "form", "漢字", "été")
    for c in ("ing", "s", "")
]
LINES = [" ".join(RNG.choices(WORDS, k=12)) for _ in range(300)]
TEXTS = [
    *(*LINES[:20], "", " ", "  two  spaces ", "unknown Ω and ﬁ ①\ttab\nline", "漢字漢字漢字 rewriting", "▁mark"),
    *("\U0001f469\u200d\U0001f467", "preprepre" * 40),
]


@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_models_of_sentencepiece_encode_as_there(kind, fallback):
    data = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=data, model_type=kind, byte_fallback=fallback, minloglevel=5,
        vocab_size=320 if fallback else 64,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=data.getvalue())
    ours = Tokenizer(from_sentencepiece(data.getvalue()))
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text), text
    again = from_sentencepiece(to_sentencepiece(ours.model))
    assert again.pieces == ours.model.pieces and again.normalizers == ours.model.normalizers
    assert ours.model.normalizers == ("nmt_nfkc", "collapse", "prefix", "escape")


@pytest.mark.parametrize("names", [("prefix", "escape"), ("escape",), ("nmt_nfkc_cf", "collapse", "prefix", "escape")])
@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_models_of_ours_encode_there_as_here(algorithm, names):
    counts = count_words([normalize(Ragged.from_strings(LINES), names)], "metaspace")
    special = ["<unk>", "<s>", "</s>"]
    bpe = BpeSettings(alphabet="characters", compat="sentencepiece")
    wanted = {
        "pretokenizer": "metaspace",
        "normalizers": [*names],
        "special_tokens": special,
        "vocab_size": 325,
        "bpe": bpe,
    }
    model = train(counts, TokenizerSettings(algorithm=algorithm, **wanted))
    ours, theirs = Tokenizer(model), sentencepiece.SentencePieceProcessor(model_proto=to_sentencepiece(model))
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text), text
        if names == ("prefix", "escape") and "▁" not in text:
            assert ours.decode_ids(ours.encode(text)) == text


def test_what_the_format_cannot_hold_is_refused():
    counts = count_words([Ragged.from_strings(LINES)], "gpt2")
    with pytest.raises(RecipeError, match="a SentencePiece model holds"):
        to_sentencepiece(train(counts, TokenizerSettings(pretokenizer="gpt2", vocab_size=300)))
    for data, part in ((b"", "no pieces"), (b"\x0a\x7f\x0a", "cut short"), (b"\xff" * 20, "SentencePiece")):
        with pytest.raises(InputError, match=part):
            from_sentencepiece(data)


def test_printable_ascii_and_what_is_required_always_have_pieces():
    counts = count_words(
        [Ragged.from_strings(["▁" + line.replace(" ", "▁") for line in [*LINES, "= Ω ж"]])], "metaspace"
    )
    wanted = UnigramSettings(character_coverage=0.9, byte_fallback=True, required_chars="Ω")
    model = train(counts, TokenizerSettings(algorithm="unigram", vocab_size=330, unigram=wanted))
    assert b"=" in model.pieces[259:] and "Ω".encode() in model.pieces and "ж".encode() not in model.pieces
