"""WordPiece: the published example by both criteria, tokenizers' vocabulary, and BERT's ids."""

from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_wordpiece import WordpieceSettings, train_wordpiece
from gristmill.tokenizers_lab.count.word_counts import WordCounts, count_words
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.normalize.normalizers import normalize
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train

COURSE = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}  # huggingface.co/learn/llm-course/chapter6/6
TEXT = [
    "The miller's mill grinds grain, naïve and NAÏVE; don't grind 漢字かな or 12,345!",
    "Übergröße der Mühle\u2028und\u00a0das\ttägliche Brot…  \u200bunsichtbar\ufeff",
    "ἄνθρωπος Σίσυφος ΣΊΣΥΦΟΣ İstanbul ﬁne e\u0301te\u0301 한국어 ไทย 👩‍👩‍👧 \U0001d54f",
    "",
    "   ",
    "x" * 101 + " " + "y" * 100,
]


def test_the_published_example_by_likelihood():
    begin = len(train_wordpiece(WordCounts.from_dict(COURSE), WordpieceSettings(allow_smaller=True), 11, []))
    pieces = train_wordpiece(WordCounts.from_dict(COURSE), WordpieceSettings(criterion="likelihood"), begin + 3, [])
    # The course goes on with hug, at a score of 1/15; but ##g comes 15 times (hug, pug), so hug has 10 / (15 · 15), and
    # hugs has 5 / (15 · 5) = 1/15.
    assert [piece.decode() for piece in pieces[begin:]] == ["##gs", "hu", "hugs"]
    by_count = train_wordpiece(WordCounts.from_dict(COURSE), WordpieceSettings(), begin + 1, [])
    assert by_count[-1] == b"##ug"


def slow_likelihood(words, merges):
    """The definition, word by word: what is merged, in order, but for ties."""
    parts = {word: [c if i == 0 else f"##{c}" for i, c in enumerate(word)] for word in words}
    for merge in merges:
        pairs, single = Counter(), Counter()
        for word, count in words.items():
            for part in parts[word]:
                single[part] += count
            for pair in pairwise(parts[word]):
                pairs[pair] += count
        scores = {pair: count / (single[pair[0]] * single[pair[1]]) for pair, count in pairs.items()}
        joined = {pair: pair[0] + pair[1].removeprefix("##") for pair in pairs}
        best = max(scores.values())
        chosen = next(pair for pair in scores if joined[pair] == merge and scores[pair] == pytest.approx(best))
        for word, old in parts.items():
            new, i = [], 0
            while i < len(old):
                if tuple(old[i : i + 2]) == chosen:
                    new.append(merge)
                    i += 2
                else:
                    new.append(old[i])
                    i += 1
            parts[word] = new
    return True


@settings(max_examples=40)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=5), st.integers(1, 9), min_size=2, max_size=8))
def test_each_merge_by_likelihood_is_the_best_there_is(words):
    counts = WordCounts.from_dict(words)
    plain = WordpieceSettings(criterion="likelihood", allow_smaller=True)
    first = {piece for word in words for piece in (word[0], *(c for c in word))} | {
        f"##{c}" for w in words for c in w[1:]
    }
    pieces = train_wordpiece(counts, plain, len(first) + 6, [])
    merges = [piece.decode() for piece in pieces[len(first) :]]
    assert slow_likelihood(words, merges)


def test_the_vocabulary_is_that_of_tokenizers_where_its_order_of_letters_is_taken():
    texts = [
        "the miller and the mill and the grain of the hills ground by millers",
        "running runner runs",
        "banana",
    ] * 3
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=70, show_progress=False, special_tokens=["[UNK]"])
    theirs.train_from_iterator(texts, trainer)
    ids = theirs.get_vocab()
    order = sorted((p for p in ids if p.startswith("##") and len(p) == 3), key=ids.get)
    counts = count_words([Ragged.from_strings(texts)], "bert")
    settings = WordpieceSettings(allow_smaller=True)
    ours = train_wordpiece(counts, settings, len(ids), ["[UNK]"], order=[piece[2:] for piece in order])
    assert [piece.decode() for piece in ours] == sorted(ids, key=ids.get)


@pytest.fixture(scope="module")
def model():
    names = ("bert_clean", "lower", "strip_accents")
    counts = count_words([normalize(Ragged.from_strings(TEXT[:3] * 2), names)], "bert")
    wanted = TokenizerSettings(algorithm="wordpiece", vocab_size=400, wordpiece=WordpieceSettings(allow_smaller=True))
    return train(counts, wanted)


def test_ids_are_those_of_tokenizers(model):
    theirs, ours = tokenizers.Tokenizer.from_str(to_huggingface(model).decode()), Tokenizer(model)
    for text in [*TEXT, "##mill", "unknownß", "a\u0301\u0300b", "mill\x00er", "\ud7ff"]:
        assert ours.encode(text) == theirs.encode(text).ids, text


def test_a_word_that_does_not_come_out_even_is_unknown(model):
    tokenizer, unknown = Tokenizer(model), model.role("unknown")
    assert tokenizer.encode("mill☃ mill") == [unknown, *tokenizer.encode("mill")]
    assert tokenizer.encode("x" * 101) == [unknown] and tokenizer.encode("") == []


def test_words_come_back_with_a_space_between_them(model):
    tokenizer = Tokenizer(model)
    assert tokenizer.decode_ids(tokenizer.encode("The mill grinds")) == "the mill grinds"


def test_transformers_loads_the_export(model, tmp_path):
    from transformers import BertTokenizerFast, PreTrainedTokenizerFast

    from gristmill.tokenizers_lab.verify_export import to_bert

    (tmp_path / "tokenizer.json").write_bytes(to_huggingface(model))
    (tmp_path / "vocab.txt").write_bytes(to_bert(model))
    ours = Tokenizer(model)
    for theirs in (
        PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json")),
        BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"), do_lower_case=True),
    ):
        for text in TEXT[:2]:
            assert theirs.encode(text, add_special_tokens=False) == ours.encode(text)
