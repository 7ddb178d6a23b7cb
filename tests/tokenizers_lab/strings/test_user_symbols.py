"""Symbols are one piece wherever they stand, here as in SentencePiece, and nothing is learnt across them."""

import io
import random

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.sentencepiece import from_sentencepiece, to_sentencepiece
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train

RNG = random.Random(4)
SYMBOLS = ["<user>", "<user>s", "ﬁ", "load", "①", "é漢"]
WORDS = [
    a + b + c
    for a in ("un", "re", "pre", "")
    for b in ("load", "write", "form", "漢字", "été")
    for c in ("ing", "s", "")
]
LINES = [
    " ".join(RNG.choices(WORDS, k=11)) + RNG.choice(["", " <user> x", "<user>", " </s>", "ﬁne"]) for _ in range(300)
]
TEXTS = [
    *(*LINES[:20], "", "<user>", "a <user>  <user>s<user", "ﬁ ﬁne of①① 1", "unloadloading été漢字 é漢é漢", "load"),
    *(" <user> ", "x<user>y\tload\nﬂ", "</s><s> <unk>", "<user>s" * 3, "lo<user>ad", "\u0301load"),
]


@given(st.lists(st.text("abc", max_size=9), max_size=5), st.sets(st.text("abc", min_size=1, max_size=3), min_size=1))
def test_the_longest_symbol_from_the_left_is_cut_out(texts, symbols):
    symbols = sorted(symbols)
    parts, number, documents = UserSymbols(symbol.encode() for symbol in symbols).split(Ragged.from_strings(texts))
    for row, text in enumerate(texts):
        expected, plain, at = [], "", 0
        while at < len(text):
            here = max((s for s in symbols if text.startswith(s, at)), key=len, default=None)
            if here is None:
                plain, at = plain + text[at], at + 1
                continue
            expected += [*([(plain, -1)] if plain else []), (here, symbols.index(here))]
            plain, at = "", at + len(here)
        expected += [(plain, -1)] if plain else []
        ours = range(documents[row], documents[row + 1])
        assert [(parts.row(part).decode(), int(number[part])) for part in ours] == expected


def settings_of(algorithm, fallback, names):
    bpe = BpeSettings(alphabet="characters", compat="sentencepiece", byte_fallback=fallback)
    return TokenizerSettings(
        algorithm=algorithm, pretokenizer="metaspace", normalizers=[*names], special_tokens=["<unk>", "<s>", "</s>"],
        user_symbols=SYMBOLS, vocab_size=320 if fallback else 64, bpe=bpe, unigram={"byte_fallback": fallback},
    )  # fmt: skip


@pytest.mark.parametrize("names", [("prefix", "escape"), ("nmt_nfkc", "collapse", "prefix", "escape")])
@pytest.mark.parametrize("fallback", [False, True])
@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_ours_are_sentencepieces(algorithm, fallback, names):
    settings = settings_of(algorithm, fallback, names)
    model = train(count_words([settings.count_settings()(Ragged.from_strings(LINES))], "metaspace"), settings)
    learnt = [piece.decode() for piece in model.pieces[len(SYMBOLS) + 3 + 256 * fallback :]]
    assert not [piece for piece in learnt if any(symbol in piece for symbol in [*SYMBOLS, "</s>"])]
    data = to_sentencepiece(model)
    ours, theirs = Tokenizer(model), sentencepiece.SentencePieceProcessor(model_proto=data)
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text), text
    again = from_sentencepiece(data)
    assert again.user_symbols == model.user_symbols and Tokenizer(again).encode(TEXTS[0]) == ours.encode(TEXTS[0])
    assert ours.decode_ids(ours.encode("x <user>load")) == "x <user>load"


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_theirs_are_ours(kind):
    data = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=data, model_type=kind, minloglevel=5, vocab_size=68,
        user_defined_symbols=SYMBOLS, control_symbols=["<c>"],
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=data.getvalue())
    ours = Tokenizer(from_sentencepiece(data.getvalue()))
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text), text


def test_what_has_no_symbols_is_told():
    with pytest.raises(RecipeError, match="user symbols need unigram"):
        TokenizerSettings(user_symbols=["<user>"]).resolved()
    for symbols, part in ((["a b"], "contains a space"), (["<s>"], "named twice"), (["x", "x"], "named twice")):
        with pytest.raises(RecipeError, match=part):
            TokenizerSettings(algorithm="unigram", user_symbols=symbols).resolved()
    settings = settings_of("bpe", True, ("prefix", "escape"))
    model = train(count_words([settings.count_settings()(Ragged.from_strings(LINES))], "metaspace"), settings)
    with pytest.raises(RecipeError, match="has no user symbols"):
        to_huggingface(model)
    with pytest.raises(RecipeError, match="dropout does not support user symbols"):
        Tokenizer(model).encode_dropout(Ragged.from_strings(["x"]), 0.1, 0)
    data = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=data, minloglevel=5, vocab_size=70, user_defined_symbols=["▁▁"]
    )
    with pytest.raises(InputError, match="symbols with spaces"):
        from_sentencepiece(data.getvalue())
