"""No piece mixes scripts: words in parts, as a plain twin cuts them; BPE's vocabulary is SentencePiece's."""

import io
import random
from collections import Counter

import numpy as np
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from gristmill.tokenizers_lab.unigram.scripts import split_scripts

SCRIPTS = {
    "a": "Latin",
    "é": "Latin",
    "я": "Cyrillic",
    "漢": "Han",
    "か": "Han",
    "ー": "Han",
    "1": "Common",
    ".": "Common",
}
SCRIPTS |= {"▁": None, "\u0301": None, "😀": "Common"}


def parted(word):
    """A mark without a script takes that of what is before it."""
    parts, script = [], None
    for character in word:
        its = SCRIPTS[character] or script
        if parts and (script is None or its == script):
            parts[-1] += character
        else:
            parts.append(character)
        script = its
    return parts


@given(st.dictionaries(st.text([*SCRIPTS], max_size=9), st.integers(1, 9), max_size=6))
def test_words_are_cut_between_scripts(words):
    parts, counts = split_scripts(Ragged.from_strings([*words]), np.array([*words.values()], np.int64))
    found, expected = Counter(), Counter()
    for row, count in enumerate(counts.tolist()):
        found[parts.row(row).decode()] += count
    for word, count in words.items():
        for part in parted(word):
            expected[part] += count
    assert found == expected


def test_the_vocabulary_of_bpe_is_that_of_sentencepiece():
    draw = random.Random(3)
    words = ["mill12", "v7.5", "xом", "мука7", "漢字v", "grist", "мука", "漢字かな", "1975"]
    lines = [" ".join(draw.choices(words, k=12)) for _ in range(300)]
    data = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=data, model_type="bpe", vocab_size=45, minloglevel=5,
    )  # fmt: skip
    theirs = sentencepiece.SentencePieceProcessor(model_proto=data.getvalue())
    settings = TokenizerSettings(
        pretokenizer="metaspace", vocab_size=45, normalizers=["prefix", "escape"],
        special_tokens=["<unk>", "<s>", "</s>"],
        bpe=BpeSettings(alphabet="characters", compat="sentencepiece", byte_fallback=False),
    )  # fmt: skip
    counting = settings.count_settings()
    ours = train(count_words([counting(Ragged.from_strings(lines))], counting.pretokenizer), settings)
    assert {piece.decode() for piece in ours.pieces} == {theirs.id_to_piece(id) for id in range(45)}
    assert any(len(piece.decode()) > 3 for piece in ours.pieces[3:])
