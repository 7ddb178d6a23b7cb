"""Evaluation sets: text held out before any step, cut into pieces; no arm trains on any of it.

IMPACT/train_pool/  raw documents to train on; each arm's documents are made of these
IMPACT/held_out/    raw documents held out, by the hash of their ids
IMPACT/candidates/  pieces of held-out documents, of their cleaned versions, and of the sets in the recipe
IMPACT/eval_sets/   candidates that no arm's documents contain: the pieces that are scored
"""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.dedup.contamination.eval_sets import Item
from gristmill.dedup.contamination.ngram_index import EvalNgramIndex
from gristmill.flows.clean.plan import bytes_of
from gristmill.flows.impact.recipe import MANUAL, Heldout
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, ID, TEXT
from gristmill.pipelines.steps.step import Input, Job, Output, RawInput, Step, Written, by_shard, input_of
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pipelines.storage.shards import cut_groups, list_shards, read_batches, read_shard, shards_of, write_shard
from gristmill.pipelines.tokens.shuffle import is_validation

CANDIDATE_FACTOR = 4  # times the size of a set: most candidates may overlap with the training text


def split_step(work: UPath, fraction: float) -> Step:
    """Return the step that splits ``documents`` into ``train_pool`` and ``held_out``, with id, text and source only."""
    documents = (Input(work / "documents", kind=DOCUMENTS),)
    outputs = [Output(work / kind, "", documents, fraction, kind) for kind in ("train_pool", "held_out")]
    jobs = by_shard(split_shard, (fraction,), outputs, bytes_of(shards_of(work / "documents")))
    return Step("hold out", {output.folder: {"fraction": fraction} for output in outputs}, jobs)


def split_shard(fraction: float, outputs: tuple[Output, ...]) -> list[Written]:
    """Split one shard's documents by the hashes of their ids."""
    wrote = []
    for output in outputs:
        tables = []
        for table in read_batches(input_of(outputs, DOCUMENTS).path, DOCUMENT.names):
            held = is_validation(hash_rows(*Ragged.from_text(table[ID])), fraction)
            tables.append(table.filter(pa.array(held == (output.kind == "held_out"))))
        rows = write_shard(output.path, tables, DOCUMENT)
        size = sum(int(Ragged.from_text(table[TEXT]).data.size) for table in tables)
        wrote.append(Written([output.path.name], {"documents": rows, "bytes": size}))
    return wrote


def candidates_step(work: UPath, settings: Heldout, corpus: dict[str, UPath]) -> Step:
    """Return the step that writes ``candidates``: the pieces of each set with the lowest hashes.

    ``corpus`` holds name -> folder of each set held out from the corpus.
    """
    inputs: list[Input | RawInput] = [Input(folder) for folder in corpus.values()]
    for paths in settings.sets.values():
        files = find_files(InputSettings(paths=paths))
        inputs += [RawInput(file.url, (file.name, file.size, file.version)) for file in files]
    about = settings.model_dump(mode="json", include={"sets", "bytes", "piece_bytes"})
    if settings.deciding == MANUAL:
        about["manual"] = fingerprint(manual())  # differs between versions of Python
    output = Output(work / "candidates", "part-00000", tuple(inputs), about)
    return Step("candidates", {work / "candidates": about}, [Job(choose_pieces, (corpus, settings), (output,))])


def choose_pieces(corpus: dict[str, UPath], settings: Heldout, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the pieces of all sets, with ids ``SET:ID#K`` and the set as the source."""
    tables = []
    for name, documents in _sets(corpus, settings):
        pieces = []
        for table in documents:
            for id, text in zip(table[ID].to_pylist(), table[TEXT].to_pylist(), strict=True):
                cut = cut_pieces(text.encode(), settings.piece_bytes)
                pieces += [(f"{name}:{id}#{k}", piece, name) for k, piece in enumerate(cut)]
        table = pa.table(dict(zip(DOCUMENT.names, zip(*pieces, strict=True) if pieces else ([], [], []), strict=True)))
        tables.append(_lowest(table.cast(DOCUMENT), CANDIDATE_FACTOR * settings.bytes))
    table = pa.concat_tables(tables)
    write_shard(outputs[0].path, cut_groups(table), DOCUMENT)
    return [Written([outputs[0].path.name], {"documents": table.num_rows})]


def _sets(corpus: dict[str, UPath], settings: Heldout) -> Iterator[tuple[str, Iterable[pa.Table]]]:
    for name, folder in corpus.items():
        yield name, (table for shard in list_shards(folder) for table in read_batches(shard, [ID, TEXT]))
    for name, paths in settings.sets.items():
        yield name, read_documents(paths, InputSettings())
    if settings.deciding == MANUAL:
        yield MANUAL, [pa.table({ID: [*(topics := manual())], TEXT: [*topics.values()]})]


def manual() -> dict[str, str]:
    """Return topic -> text of Python's language reference."""
    from pydoc_data.topics import topics

    return topics


def cut_pieces(text: bytes, size: int) -> list[str]:
    """Cut UTF-8 text into pieces of up to ``size`` bytes, each up to a line end in its second half, else a word end.

    >>> cut_pieces(b"one two three", 8)
    ['one two', 'three']
    """
    pieces, at = [], 0
    while at < len(text):
        end = min(len(text), at + size)
        if end < len(text):
            half = at + size // 2
            end = max(text.rfind(b"\n", half, end), 0) or max(text.rfind(b" ", half, end), 0) or end
            while text[end] & 0xC0 == 0x80:  # within a character
                end -= 1
        piece = text[at:end].decode().strip()
        pieces += [piece] if piece else []
        at = end
    return pieces


def _lowest(table: pa.Table, size: int) -> pa.Table:
    """Return the rows with the lowest hashes of their ids, up to ``size`` bytes of text."""
    hashes = hash_rows(*Ragged.from_text(table[ID]))
    order = np.argsort(hashes, kind="stable")
    ends = np.cumsum(np.diff(Ragged.from_text(table[TEXT]).offsets)[order])
    return table.take(order[: int(np.searchsorted(ends, size, "right"))])


def overlap(candidates: UPath, documents: Iterable[UPath], ngram: int) -> pl.DataFrame:
    """Return the fraction of each candidate's word n-grams that the documents contain: columns id, share.

    The n-grams may lie in different documents. The share of a piece with fewer than ``ngram`` words is null.
    """
    table = pa.concat_tables([read_shard(shard) for shard in list_shards(candidates)])
    items = [Item("", id, text) for id, text in zip(table[ID].to_pylist(), table[TEXT].to_pylist(), strict=True)]
    index = EvalNgramIndex(items, ngram, ngram)
    held = np.zeros(index.grams.size + 1, np.bool_)
    for shard in documents:
        for batch in read_batches(shard, [TEXT]):
            held[index.measure(Ragged.from_text(batch[TEXT])).data] = True
    counts = np.diff(index.of_item.offsets)
    sums = np.concatenate(([0], np.cumsum(held[index.of_item.data])))
    shares = np.diff(sums[index.of_item.offsets]) / np.maximum(counts, 1)
    return pl.DataFrame({"id": table[ID].to_pylist(), "share": np.where(counts, shares, np.nan)}).fill_nan(None)


def eval_sets_step(work: UPath, data: list[str], settings: Heldout) -> Step:
    """Return the step that writes ``eval_sets``: for each set up to ``bytes`` of candidates that no arm contains."""
    overlaps = [work / "arms" / name / "overlap.parquet" for name in data]
    inputs = (Input(work / "candidates"), *(Input(path.parent, path.stem) for path in overlaps))
    about = settings.model_dump(mode="json", include={"bytes", "ngram", "max_overlap"})
    output = Output(work / "eval_sets", "part-00000", inputs, about)
    job = Job(keep_unseen, (work / "candidates", overlaps, settings), (output,))
    return Step("held out", {work / "eval_sets": about}, [job])


def keep_unseen(candidates: UPath, overlaps: list[UPath], settings: Heldout, outputs: tuple[Output, ...]) -> list:
    """Write the candidates without overlap, the lowest hashes first. A set may end up smaller, or empty."""
    table = pa.concat_tables([read_shard(shard) for shard in list_shards(candidates)])
    shares = np.array([pl.read_parquet(str(path), glob=False)["share"].to_numpy() for path in overlaps])
    unseen = (shares <= settings.max_overlap).all(0)  # the overlap of a short piece is NaN: it is dropped
    source = np.array(table["source"].to_pylist(), object)
    chosen = [_lowest(table.filter(pa.array(unseen & (source == name))), settings.bytes) for name in np.unique(source)]
    kept = pa.concat_tables(chosen)
    write_shard(outputs[0].path, cut_groups(kept), DOCUMENT)
    return [Written([outputs[0].path.name], {"documents": kept.num_rows})]
