"""Tokens to train on: in memory, and as a folder of shards made the way the command makes them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from upath import UPath

from pipelines.ragged import Ragged
from pipelines.schema import DOCUMENT
from pipelines.shards import write_shard
from pipelines.step import run_step
from pipelines.tokens.encode import Vocabulary
from pipelines.tokens.settings import TokenSettings
from pipelines.tokens.steps import digest, encode_step, gather_step
from pretrain.batches import Tokens

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
    return Tokens(payloads=payloads, ends=ends, bytes=sizes, vocab_size=vocab_size, bos=bos, **changes)


@dataclass(frozen=True)
class Subwords:
    """A byte-level BPE of the tokenizers library, as workers get it."""

    file: UPath

    @cached_property
    def tokenizer(self):
        return Tokenizer.from_file(str(self.file))

    @property
    def vocabulary(self):
        return Vocabulary(self.tokenizer.get_vocab_size(), BOS, None, digest(self.file))

    def __call__(self, text):
        encoded = [self.tokenizer.encode(row.decode()).ids for row in map(text.row, range(text.rows))]
        offsets = np.cumsum([0, *map(len, encoded)]).astype(np.int64)
        return Ragged.of(offsets, np.array([i for ids in encoded for i in ids], np.uint32))


def train_subwords(path, texts, size=300):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=["<bos>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))
    return Subwords(UPath(path))


def token_folder(folder, texts, size=300, validation=0.2):
    """Texts -> a finished folder of token shards, their tokenizer trained on them."""
    rows = [{"id": f"d{i}", "text": text, "source": "s"} for i, text in enumerate(texts)]
    shard = UPath(folder / "in" / "0.parquet")
    write_shard(shard, [pa.Table.from_pylist(rows, DOCUMENT)], DOCUMENT)
    coder, tokens = train_subwords(folder / "tokenizer.json", texts, size), UPath(folder / "tokens")
    run_step(encode_step({shard: {"sha256": "in", "bytes": shard.stat().st_size}}, coder, tokens))
    run_step(gather_step(tokens, coder, TokenSettings(validation=validation)))
    return tokens
