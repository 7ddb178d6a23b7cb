"""GPT-2 as published by OpenAI: a TensorFlow checkpoint and ``hparams.json``, read without TensorFlow.

``model.ckpt.index`` is a LevelDB table from a variable's name to a protocol buffer with its offset and size in
``model.ckpt.data-00000-of-00001`` (tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table).
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from upath import UPath

from gristmill.pipelines.errors import InputError, shown
from gristmill.pretrain.exchange.gpt2 import BLOCK, REQUIRED_CONFIG
from gristmill.pretrain.exchange.tensors import size, take
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.training.checkpoint import read_json

HPARAMS, INDEX, DATA = "hparams.json", "model.ckpt.index", "model.ckpt.data-00000-of-00001"
MAGIC, FOOTER, FLOAT = 0xDB4775248B80FB57, 48, 1


class Entry(NamedTuple):
    """Shape and position in the data file of a float32 variable."""

    shape: tuple[int, ...]
    offset: int
    size: int


def from_config(folder: UPath) -> dict:
    """Return the settings of `ModelConfig` for their ``hparams.json``."""
    hparams, where = read_json(folder / HPARAMS), f"{folder / HPARAMS}"
    if not isinstance(hparams, dict):
        raise InputError(f"{where} holds {shown(hparams)}, expected a table")
    return {
        **REQUIRED_CONFIG,
        "mlp": "gelu",
        "tie_embeddings": True,
        "vocab_size": size(hparams, "n_vocab", where),
        "context": size(hparams, "n_ctx", where),
        "d_model": size(hparams, "n_embd", where),
        "n_heads": size(hparams, "n_head", where),
        "n_layers": size(hparams, "n_layer", where),
    }


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and tensor of each weight. Theirs: gains ``g``, biases ``b``, matrices ``w`` [1, in, out]."""
    yield "embedding.weight", take(theirs, "model/wte")
    yield "learned.weight", take(theirs, "model/wpe")
    blocks = ((n, ours, name.replace(".", "/")) for n in range(shape.n_layers) for ours, name in BLOCK.items())
    names = ((f"blocks.{n}.{ours}", f"model/h{n}/{name}") for n, ours, name in blocks)
    for ours, name in chain(names, [("norm", "model/ln_f")]):
        is_norm = ours.endswith("norm")
        yield f"{ours}.weight", take(theirs, f"{name}/g") if is_norm else take(theirs, f"{name}/w", 3)[0].T
        yield f"{ours}.bias", take(theirs, f"{name}/b")


def read_variables(folder: UPath) -> dict[str, Tensor]:
    """Read all float32 variables. Raise InputError if the files are damaged or of another format."""
    table, found = (folder / INDEX).read_bytes(), {}
    if len(table) < FOOTER or int.from_bytes(table[-8:], "little") != MAGIC:
        raise InputError(f"{folder / INDEX} has no footer of a TensorFlow checkpoint's index: it was cut short")
    try:
        _, at = _handle(table, len(table) - FOOTER)
        (start, size), _ = _handle(table, at)
        with (folder / DATA).open("rb") as data:
            for _, handle in _block(table, start, size):
                (begin, length), _ = _handle(handle, 0)
                for name, value in _block(table, begin, length):
                    if name and (entry := _entry(value)):
                        found[name.decode()] = _read(data, entry, f"{folder / DATA}")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{folder / INDEX} is damaged ({type(error).__name__}); copy it again") from None
    return found


def _read(data, entry: Entry, where: str) -> Tensor:
    there = max(data.seek(0, 2) - entry.offset, 0)
    if there < entry.size:
        raise InputError(f"{where} was cut short: {there:,} bytes at {entry.offset:,}, expected {entry.size:,}")
    data.seek(entry.offset)
    raw = data.read(entry.size)
    return torch.from_numpy(np.frombuffer(raw, "<f4").reshape(entry.shape).copy())


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits per byte, low bits first, and its end."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Return offset and size of a block, and the end of both."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _block(table: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; a key is stored as its difference from the previous key."""
    if table[start + size]:
        raise InputError("the checkpoint's index is compressed; expected an uncompressed one, as TensorFlow writes it")
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
    """Parse a BundleEntryProto (dtype 1, shape 2, offset 4, size 5); None if it is not float32."""
    fields = dict(_fields(message))
    if fields.get(1) != FLOAT:
        return None
    dims = (dict(_fields(dim)).get(1, 0) for number, dim in _fields(fields.get(2, b"")) if number == 2)
    return Entry(tuple(dims), fields.get(4, 0), fields.get(5, 0))


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield field numbers and values of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            length, at = _varint(message, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            value, at = message[at : at + length], at + length
        yield tag >> 3, value
