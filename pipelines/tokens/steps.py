"""The two steps from documents to token shards: encode every shard, then gather documents into shards."""

import hashlib
from collections import Counter
from itertools import product
from typing import Protocol

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import CLUSTER_SIZE, DOCUMENTS, SOURCE, TURNS
from gristmill.pipelines.steps.step import Input, Job, Output, RawInput, Step, Written, input_of
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import read_shard, shard_schema
from gristmill.pipelines.tokens.encode import IDS, LEARNED, TokenizerInfo, encode_shard
from gristmill.pipelines.tokens.mixing import Source, mix
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION, TokenSettings
from gristmill.pipelines.tokens.shuffle import cluster_weights, gather_shard, hash_ranges, is_validation

FORMAT = 1
TOKENIZER = "tokenizer"  # the part that holds a copy of the tokenizer's file


class TokenEncoder(Protocol):
    """Tokenizer for worker processes: it pickles, and opens its file where it is used."""

    @property
    def info(self) -> TokenizerInfo: ...
    @property
    def file(self) -> UPath: ...

    def __call__(self, text: Ragged) -> Ragged: ...


class TurnEncoder(Protocol):
    """Tokenizer and template for worker processes."""

    @property
    def answers_only(self) -> bool: ...  # a model learns no more of documents with roles
    @property
    def version(self) -> list[str]: ...  # all that the ids depend on, besides the tokenizer

    def __call__(self, text: Ragged, turns: pa.ChunkedArray) -> tuple[Ragged, np.ndarray]: ...


def encode_step(
    shards: dict[Input, dict], encoder: TokenEncoder, tokens: UPath, chat: TurnEncoder | None = None
) -> Step:
    """Make ``tokens/encoded``: the ids of each shard of documents (with its manifest entry), one job each.

    Raises RecipeError for a template if no document has roles.
    """
    folder, jobs = tokens / "encoded", []
    roles = {shard: TURNS in shard_schema(shard.path).names for shard in shards} if chat else {}
    if chat and not any(roles.values()):
        raise RecipeError("tokens.template is for documents with roles, found none; `records` in [input] reads them")
    for n, (shard, file) in enumerate(shards.items()):
        inputs = shard, tokenizer_of(encoder)
        made_with = [FORMAT, *chat.version, roles[shard]] if chat else FORMAT
        args = encoder, chat if roles.get(shard) else None, chat is not None and chat.answers_only
        output = Output(folder, f"part-{n:05d}", inputs, made_with)
        jobs.append(Job(_encode, args, (output,), file["bytes"], threaded=True))
    about = {"tokenizer": encoder.info.sha256} | ({"chat": chat.version} if chat else {})
    return Step("encode", {folder: about}, jobs)


def tokenizer_of(encoder: TokenEncoder) -> RawInput:
    """Return the tokenizer's file as an input."""
    return RawInput(str(encoder.file), encoder.info.sha256)


def _encode(
    encoder: TokenEncoder, chat: TurnEncoder | None, masked: bool, outputs: tuple[Output, ...]
) -> list[Written]:
    return [encode_shard(input_of(outputs, DOCUMENTS).path, encoder.info, encoder, outputs[0], chat, masked)]


def gather_step(tokens: UPath, encoder: TokenEncoder, settings: TokenSettings) -> Step:
    """Make ``tokens`` from the encoded parts: shards of both splits, and a copy of the tokenizer."""
    info = encoder.info
    check_edges(info, settings)
    folder = tokens / "encoded"
    encoded = require_finished(folder, f"`gristmill tokenize CORPUS --output {tokens}` makes it")
    parts = sorted(name.removesuffix(IDS) for name in encoded.files if name.endswith(IDS))
    there, sources = count_tokens(folder, parts, settings, boundary_ids(settings))
    epochs = {source.name: source.epochs for source in sources}
    masked = any(name.endswith(LEARNED) for name in encoded.files)
    inputs, made_with = (Input(folder), tokenizer_of(encoder)), settings.model_dump(mode="json")
    jobs = [Job(_copy, (encoder.file,), (Output(tokens, TOKENIZER, inputs[1:]),), cheap=True)]
    for hash_range in hash_ranges(there, settings):
        args = (folder, parts, hash_range, info, settings, epochs, masked)
        output = Output(tokens, hash_range.name, inputs, [made_with, *hash_range])
        size = (hash_range.last - hash_range.first) * there[hash_range.split] >> 64
        jobs.append(Job(gather_shard, args, (output,), size * info.dtype.itemsize, cheap=True))
    about = {
        "format": FORMAT,
        "dtype": info.dtype.str,
        "vocab_size": info.size,
        "bos": info.bos,
        "eos": info.eos,
        "tokenizer": {"file": encoder.file.name, "sha256": info.sha256},
        "mixture": [source._asdict() for source in sources],
        **made_with,
    }
    return Step("gather", {tokens: about}, jobs)


def check_edges(info: TokenizerInfo, settings: TokenSettings) -> None:
    """Raise RecipeError if the tokenizer lacks a special token that the settings add to each document."""
    for id, edge in ((info.bos, ("prepend", "both")), (info.eos, ("append", "both"))):
        if id is None and settings.add_special in edge:
            name = "BOS" if "prepend" in edge else "EOS"
            raise RecipeError(
                f"add_special = {settings.add_special!r} needs a tokenizer with a special token for {name}"
            )


def boundary_ids(settings: TokenSettings) -> int:
    """Return the number of boundary ids per document."""
    return {"none": 0, "prepend": 1, "append": 1, "both": 2}[settings.add_special]


def count_tokens(
    folder: UPath, parts: list[str], settings: TokenSettings, edge: int
) -> tuple[dict[str, int], list[Source]]:
    """Return the tokens of each split, and the mixture of the training split.

    Raises RecipeError if documents shall be upsampled by cluster size, and none has one.
    """
    tokens: Counter[tuple[str, float]] = Counter()  # by source and weight: sums of whole numbers have no order
    clustered = not settings.upsample
    documents: Counter[str] = Counter()
    held_out = 0
    for part in parts:
        table = read_shard(folder / f"{part}.parquet")
        clustered |= CLUSTER_SIZE in table.column_names
        weight = cluster_weights(table, settings)
        sizes, held = table["tokens"].to_numpy() + edge, is_validation(table["hash"].to_numpy(), settings.validation)
        held_out += int(sizes[held].sum())
        sources = table[SOURCE].combine_chunks().dictionary_encode()
        names, numbers = sources.dictionary.to_pylist(), sources.indices.to_numpy()
        for (k, name), often in product(enumerate(names), np.unique(weight).tolist()):
            mine = (numbers == k) & (weight == often) & ~held
            tokens[name, often] += int(sizes[mine].sum())
            documents[name] += int(mine.sum())
    if not clustered:
        raise RecipeError(
            f"tokens.upsample needs the column {CLUSTER_SIZE!r} in the documents, found none; add it with "
            f"`gristmill clean … --set output.columns='[\"{CLUSTER_SIZE}\"]'`"
        )
    upsampled = dict.fromkeys(documents, 0.0)
    for (name, often), count in sorted(tokens.items()):
        upsampled[name] += count * often
    sources = mix({name: round(count) for name, count in upsampled.items()}, documents, settings)
    train = sum(int(source.tokens * source.epochs) for source in sources)
    return {TRAIN: train, VALIDATION: held_out}, sources


def _copy(file: UPath, outputs: tuple[Output, ...]) -> list[Written]:
    output = outputs[0]
    with atomic_write(output.folder / file.name) as copy:
        copy.write(file.read_bytes())
    return [Written([file.name], {})]


def digest(file: UPath) -> str:
    """Return the SHA-256 of a tokenizer's file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
