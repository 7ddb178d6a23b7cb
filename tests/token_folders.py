"""Tokens to train on: in memory, and as a folder of shards made the way the command makes them."""

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.flows.tokenize.train_tokenizer import load_encoder
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS
from gristmill.pipelines.steps.step import Input, run_step
from gristmill.pipelines.storage.shards import write_shard
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.steps import encode_step, gather_step
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.formats.model import write_model
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.corpora import finish

BOS = 0


def make_tokens(lengths, vocab_size=50, seed=0, bos=BOS, shards=1, rule=False, **changes):
    """Random documents of so many tokens, the first of each BOS; by a rule, token t is followed by 3 t + 1."""
    rng = np.random.default_rng(seed)
    documents = []
    for length in lengths:
        ids = rng.integers(1, vocab_size, length)
        for i in range(1, length * rule):
            ids[i] = (3 * ids[i - 1] + 1) % (vocab_size - 1) + 1
        if bos is not None and length:
            ids[0] = bos
        documents.append(ids.astype(np.uint16))
    cuts = np.array_split(np.arange(len(documents)), shards)
    payloads = tuple(np.concatenate([np.zeros(0, np.uint16), *(documents[i] for i in cut)]) for cut in cuts)
    sizes = np.array([3 * length + 1 for length in lengths], np.int64)
    ends = np.cumsum(np.array(lengths, np.int64))
    return TokenSplit(payloads=payloads, ends=ends, bytes=sizes, vocab_size=vocab_size, bos=bos, **changes)


def train_subwords(folder, texts, size=300, special=("<bos>",)):
    """A byte-level BPE, its file in the folder, as workers get it."""
    stop = BpeSettings(allow_smaller=True)
    settings = TokenizerSettings(vocab_size=size, pretokenizer="gpt2", special_tokens=list(special), bpe=stop)
    write_model(train(count_words([Ragged.from_strings(texts)], "gpt2"), settings), UPath(folder))
    return load_encoder(str(folder))


def token_folder(folder, texts, size=300, validation=0.2, special=("<bos>",)):
    """Texts -> a finished folder of token shards, their tokenizer trained on them."""
    rows = [{"id": f"d{i}", "text": text, "source": "s"} for i, text in enumerate(texts)]
    shard = UPath(folder / "in" / "0.parquet")
    write_shard(shard, [pa.Table.from_pylist(rows, DOCUMENT)], DOCUMENT)
    coder, tokens = train_subwords(folder / "tokenizer", texts, size, special), UPath(folder / "tokens")
    finish(shard.parent)
    run_step(encode_step({Input(shard.parent, shard.stem, DOCUMENTS): {"bytes": shard.stat().st_size}}, coder, tokens))
    run_step(gather_step(tokens, coder, TokenSettings(validation=validation)))
    return tokens
