"""Documents of each source as token shards of their own, so that a mixture is a number of copies of each.

WORK/documents/SOURCE/  the source's documents, with id, text and the source only
WORK/tokens/SOURCE/     the same as token shards: their bytes depend on these documents and the tokenizer alone
"""

import re
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.clean.plan import bytes_of
from gristmill.flows.impact.prepare import TOKENS
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.pipelines.errors import RecipeError, WorkError, nearest
from gristmill.pipelines.inputs.inputs import clean_folder
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, ID, TEXT
from gristmill.pipelines.steps.step import Engine, Input, Output, Progress, Step, Written, by_shard, input_of, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.inspect import readable, scan_shards
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import list_shards, read_batches, shard_schema, shards_of, write_shard
from gristmill.pipelines.tokens.shards import TokenShards

MOST_SOURCES = 64
MADE_BY = "`gristmill clean RECIPE --input … --output WORK` makes it"


class Source(NamedTuple):
    """Documents with one value of the column."""

    name: str
    documents: UPath
    tokens: UPath

    @property
    def size(self) -> int:
        """Number of tokens."""
        return TokenShards(self.tokens).manifest.counts["tokens"]

    @property
    def bytes(self) -> int:
        """Bytes of text."""
        return TokenShards(self.tokens).manifest.counts["bytes"]


def clean_documents(corpus: str) -> UPath:
    """Return the folder of a run's clean documents; raise WorkError if it is unfinished."""
    folder = to_path(clean_folder(corpus))
    require_finished(folder, MADE_BY)
    return folder


def names_of(documents: UPath, column: str) -> list[str]:
    """Return the values of the column, in order.

    Raises RecipeError if it is no column of strings, misses values, or has too few or too many.
    """
    shards = list_shards(documents)
    if not shards:
        raise WorkError(f"{documents} holds no documents; clean a corpus first")
    schema = shard_schema(shards[0])
    strings = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    strings = [name for name in strings if name not in (ID, TEXT)]
    if column not in strings:
        raise RecipeError(f"--by {column!r}: {documents} has no such column of strings; {nearest(column, strings)}")
    with readable(documents):
        values = scan_shards(shards).select(pl.col(column).unique()).collect(engine="streaming")[column]
    if values.null_count():
        raise RecipeError(
            f"--by {column!r}: some documents have no value in this column; fill it before `gristmill mix`"
        )
    if not 2 <= len(values) <= MOST_SOURCES:
        raise RecipeError(f"--by {column!r}: the column has {len(values):,} values, expected 2 to {MOST_SOURCES}")
    return sorted(values.to_list())


def folder_of(name: str) -> str:
    """Return the folder of a source: a readable part of its name, and a digest of the whole.

    >>> folder_of("web/crawl")
    'web-crawl-86a6fa49'
    """
    digest = int(hash_rows(*Ragged.from_strings([name]))[0]) >> 32
    return f"{re.sub(r'[^A-Za-z0-9_]+', '-', name)[:40]}-{digest:08x}"


def prepare_sources(documents: UPath, column: str, work: UPath, engine: Engine, progress: Progress) -> list[Source]:
    """Write the documents of each source; return the sources, whose tokens `tokenize_sources` writes."""
    names = names_of(documents, column)
    sources = [Source(name, work / "documents" / folder_of(name), work / "tokens" / folder_of(name)) for name in names]
    inputs = (Input(documents, kind=DOCUMENTS),)
    outputs = [Output(source.documents, "", inputs, [column, source.name], source.name) for source in sources]
    jobs = by_shard(split_shard, (column,), outputs, bytes_of(shards_of(documents)))
    run_step(Step("sources", {source.documents: {column: source.name} for source in sources}, jobs), engine, progress)
    return sources


def split_shard(column: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the documents of one shard into the folders of their sources."""
    tables = list(read_batches(input_of(outputs, DOCUMENTS).path, list(dict.fromkeys([ID, TEXT, column]))))
    wrote = []
    for output in outputs:
        mine = [table.filter(pc.equal(table[column], output.kind)) for table in tables]
        named = [pa.table([t[ID], t[TEXT], t[column]], DOCUMENT.names).cast(DOCUMENT) for t in mine]
        rows = write_shard(output.path, named, DOCUMENT)
        size = sum(int(Ragged.from_text(table[TEXT]).data.size) for table in named)
        wrote.append(Written([output.path.name], {"documents": rows, "bytes": size}))
    return wrote


def tokenize_sources(sources: list[Source], tokenizer: str, engine: Engine, progress: Progress) -> None:
    """Write the token shards of each source; raise RecipeError for a source without text."""
    for source in sources:
        tokenize([str(source.documents)], tokenizer, source.tokens, TOKENS, engine, progress)
        if not source.size:
            raise RecipeError(f"the source {source.name!r} holds no text; leave it out of the corpus")


def natural_shares(sources: list[Source]) -> np.ndarray:
    """Return the shares of the sources in the corpus, by tokens, float64 [sources]."""
    sizes = np.array([source.size for source in sources], float)
    return sizes / sizes.sum()
