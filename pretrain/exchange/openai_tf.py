"""GPT-2 as OpenAI published it: a TensorFlow checkpoint beside ``hparams.json``, read without TensorFlow.

``model.ckpt.index`` is a table of LevelDB's kind from a variable's name to a protocol buffer that says where in
``model.ckpt.data-00000-of-00001`` its numbers lie (tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson
import torch
from torch import Tensor
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pretrain.exchange.gpt2 import REQUIRED_CONFIG
from gristmill.pretrain.exchange.tensors import take
from gristmill.pretrain.model.config import ModelConfig

HPARAMS, INDEX, DATA = "hparams.json", "model.ckpt.index", "model.ckpt.data-00000-of-00001"
MAGIC, FOOTER, FLOAT = 0xDB4775248B80FB57, 48, 1
BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn/c_attn",
    "attention.out": "attn/c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp/c_fc",
    "mlp.down": "mlp/c_proj",
}


class Entry(NamedTuple):
    """Where a variable's float32 numbers lie in the data file."""

    shape: tuple[int, ...]
    offset: int
    size: int


def from_config(folder: UPath) -> dict:
    """Our shape for their ``hparams.json``."""
    hparams = orjson.loads((folder / HPARAMS).read_bytes())
    sizes = {
        "vocab_size": "n_vocab",
        "context": "n_ctx",
        "d_model": "n_embd",
        "n_heads": "n_head",
        "n_layers": "n_layer",
    }
    return {
        **REQUIRED_CONFIG,
        "mlp": "gelu",
        "tie_embeddings": True,
        **{ours: hparams[theirs] for ours, theirs in sizes.items()},
    }


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Gains are ``g``, biases ``b``, matrices ``w`` [1, in, out]; all names begin with ``model/``."""
    yield "embedding.weight", take(theirs, "model/wte")
    yield "learned.weight", take(theirs, "model/wpe")
    names = {f"blocks.{n}.{ours}": f"model/h{n}/{name}" for n in range(shape.n_layers) for ours, name in BLOCK.items()}
    for ours, name in {**names, "norm": "model/ln_f"}.items():
        is_norm = ours.endswith("norm")
        yield f"{ours}.weight", take(theirs, f"{name}/g") if is_norm else take(theirs, f"{name}/w")[0].T
        yield f"{ours}.bias", take(theirs, f"{name}/b")


def read_variables(folder: UPath) -> dict[str, Tensor]:
    """All variables of float32. Raises InputError where the files are damaged or of another kind."""
    table, found = (folder / INDEX).read_bytes(), {}
    if len(table) < FOOTER or int.from_bytes(table[-8:], "little") != MAGIC:
        raise InputError(f"{folder / INDEX} does not end as a TensorFlow checkpoint's index does: it was cut short")
    _, at = _handle(table, len(table) - FOOTER)
    (start, size), _ = _handle(table, at)
    with (folder / DATA).open("rb") as data:
        for _, handle in _block(table, start, size):
            (begin, length), _ = _handle(handle, 0)
            for name, value in _block(table, begin, length):
                if name and (entry := _entry(value)):
                    found[name.decode()] = _read(data, entry, f"{folder / DATA}")
    return found


def _read(data, entry: Entry, where: str) -> Tensor:
    data.seek(entry.offset)
    raw = data.read(entry.size)
    if len(raw) != entry.size:
        raise InputError(f"{where} was cut short: {len(raw):,} bytes at {entry.offset:,}, expected {entry.size:,}")
    return torch.from_numpy(np.frombuffer(raw, "<f4").reshape(entry.shape).copy())


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, low ones first, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and where they end."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values; each key is written as what differs from the one before."""
    if table[start + size]:
        raise InputError("the checkpoint's index is compressed, which TensorFlow's own never are")
    end = start + size - 4 - 4 * int.from_bytes(table[start + size - 4 : start + size], "little")
    at, key = start, b""
    while at < end:
        shared, at = _varint(table, at)
        unshared, at = _varint(table, at)
        length, at = _varint(table, at)
        key = key[:shared] + table[at : at + unshared]
        yield key, table[at + unshared : at + unshared + length]
        at += unshared + length


def _entry(message: bytes) -> Entry | None:
    """A BundleEntryProto: dtype 1, shape 2, offset 4, size 5. None where the numbers are not float32."""
    fields = dict(_fields(message))
    if fields.get(1) != FLOAT:
        return None
    dims = (dict(_fields(dim)).get(1, 0) for number, dim in _fields(fields.get(2, b"")) if number == 2)
    return Entry(tuple(dims), fields.get(4, 0), fields.get(5, 0))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = message[at : at + length], at + length
        yield tag >> 3, value
