"""Token shards, and token files of other trainers."""

import struct
import tempfile
from pathlib import Path

import numpy as np
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from tools.fuzz_mutations import Field
from tools.fuzz_targets.target import TEXTS, Target, arrays


def build_tokens(folder: Path) -> None:
    """Write a folder of token shards."""
    from tests.token_folders import token_folder

    with tempfile.TemporaryDirectory() as scratch:
        token_folder(Path(scratch), [text + str(n) for n in range(4) for text in TEXTS]).rename(folder / "shards")


def use_tokens(case: Path) -> None:
    """Read batches by every packing, trace tokens, decode documents and export the shards."""
    from gristmill.pipelines.tokens.export_formats import FORMATS, export
    from gristmill.pipelines.tokens.shards import TokenShards
    from gristmill.pretrain.data.batches import Loader, TokenSplit
    from gristmill.pretrain.data.packing import PACKINGS
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    shards = TokenShards(UPath(case))
    split = TokenSplit.from_shards(shards, "train")
    for packing in PACKINGS:
        for _ in Loader(split, 16, 4, packing=packing).batches(0, 2):
            pass
    decode = Tokenizer.load(shards.tokenizer).decode
    for shard in map(shards.shard, shards.names()):
        for position in range(0, shard.ids.size, 97):
            shard.trace(position)
        if shard.ends.size:
            decode(Ragged(np.concatenate(([0], shard.ends)), np.array(shard.read(0, shard.ids.size))))
    with tempfile.TemporaryDirectory() as scratch:
        for format in FORMATS:
            export(shards, format, UPath(scratch) / format)


def token_fields(name: str, data: bytes) -> list[Field]:
    """Return the ends of documents, and some ids."""
    width = {".ends": "<Q", ".bin": "<H", ".bytes": "<I", ".ids": "<H"}.get(Path(name).suffix)
    return arrays([("value", 0, len(data) // struct.calcsize(width), width)]) if width else []


def build_foreign(folder: Path) -> None:
    """Write the shards in the formats that can be imported."""
    from gristmill.pipelines.tokens.export_formats import export
    from gristmill.pipelines.tokens.shards import TokenShards

    with tempfile.TemporaryDirectory() as scratch:
        build_tokens(Path(scratch))
        for format in ("llmc", "megatron", "datatrove"):
            export(TokenShards(UPath(scratch) / "shards"), format, UPath(folder / format))


def use_foreign(case: Path) -> None:
    """Import the token files and open the shards."""
    from gristmill.pipelines.steps.step import run_step
    from gristmill.pipelines.tokens.import_formats import import_step
    from gristmill.pipelines.tokens.shards import TokenShards

    files = sorted(case.glob({"datatrove": "*.ds"}.get(case.name, "*.bin")))
    with tempfile.TemporaryDirectory() as scratch:
        run_step(import_step([UPath(file) for file in files], case.name, 300, 0, UPath(scratch) / "tokens"))
        TokenShards(UPath(scratch) / "tokens").check()


def foreign_fields(name: str, data: bytes) -> list[Field]:
    """Return the counts of the headers, and sizes, pointers and ends of documents."""
    if name.endswith(".idx"):
        sequences, documents = struct.unpack_from("<2Q", data, 18)
        parts = [("sizes", 34, sequences, "<i"), ("pointers", 34 + 4 * sequences, sequences, "<q")]
        parts += [("counts", 18, 2, "<Q"), ("version", 9, 1, "<Q"), ("kind", 17, 1, "<B")]
        return arrays([*parts, ("documents", 34 + 12 * sequences, documents, "<q")])
    if name.endswith(".index"):
        return arrays([("ends", 0, len(data) // 8, "<Q")])
    return (
        arrays([("header", 0, 4, "<i"), ("ids", 1024, 3, "<H")]) if name.endswith(".bin") and len(data) > 1030 else []
    )


TARGETS = {
    "tokens": Target(build_tokens, use_tokens, token_fields),
    "foreign": Target(build_foreign, use_foreign, foreign_fields),
}
