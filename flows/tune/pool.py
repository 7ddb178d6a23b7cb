"""Pool of all documents that a run read, tokenized once, and the mask of each candidate over it.

WORK/run/          the finished run of the recipe: measures, from which every candidate is a what-if
WORK/pool/         its documents, kept or not, with the text that its steps left
WORK/tokens/pool/  the pool as token shards
"""

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.flows.clean.plan import bytes_of, spans_before
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.flows.impact.documents.samples import document_hashes
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.what_if import change_recipe, keep
from gristmill.flows.tune.space import Candidate
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, ID, SPANS, TEXT
from gristmill.pipelines.steps.spans import apply_spans
from gristmill.pipelines.steps.step import Input, Output, Step, Written, by_shard, input_of, inputs_of
from gristmill.pipelines.storage.shards import cut_groups, read_batches, read_shard, shards_of, write_shard
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards


def pool_step(run: FinishedRun, target: UPath) -> Step:
    """Return the step that writes all documents of a run as its steps left their text, with id, text and source only.

    A step over the whole corpus that cuts text, such as repeated passages, has cut it in the documents that it saw.
    """
    documents = run.folder / DOCUMENTS
    inputs = (Input(documents, kind=DOCUMENTS), *spans_before(run.recipe, run.folder))
    jobs = by_shard(rewrite_shard, (), [Output(target, "", inputs)], bytes_of(shards_of(documents)))
    return Step("pool", {target: {"steps": list(run.recipe.steps)}}, jobs)


def rewrite_shard(outputs: tuple[Output, ...]) -> list[Written]:
    """Write one shard's documents with all spans applied."""
    spans, tables, first, size = [read_shard(each.path) for each in inputs_of(outputs, SPANS).values()], [], 0, 0
    for table in read_batches(input_of(outputs, DOCUMENTS).path, DOCUMENT.names):
        text = apply_spans(Ragged.from_text(table[TEXT]), spans, first)
        first, size = first + table.num_rows, size + int(text.offsets[-1])
        place = table.schema.get_field_index(TEXT)
        tables.append(table.set_column(place, table.schema.field(TEXT), text.to_text()).cast(DOCUMENT))
    rows = write_shard(outputs[0].path, cut_groups(pa.concat_tables(tables or [DOCUMENT.empty_table()])), DOCUMENT)
    return [Written([outputs[0].path.name], {"documents": rows, "bytes": size})]


class Pool:
    """Documents of the pool in the order of its token shards, and the masks of candidates."""

    def __init__(self, run: FinishedRun, tokens: UPath):
        self.run, self.tokens = run, tokens
        frames = {part: run.ledger(part, [ID, "bytes"]) for part in run.parts}
        self.sizes = {part: frame["bytes"].to_numpy() for part, frame in frames.items()}
        rows = pl.concat([frame.select(ID) for frame in frames.values()]).with_row_index("row")
        shards = TokenShards(tokens).split(TRAIN)
        self.hashes = document_hashes(TokenShards(tokens))
        ids = pl.concat([pl.DataFrame(shard.documents).select(ID) for shard in shards])
        self.order = ids.join(rows, on=ID, how="left", maintain_order="left")["row"].to_numpy()
        self.lengths = np.concatenate([np.diff(shard.ends, prepend=0) for shard in shards])
        self.bytes = np.concatenate([shard.bytes for shard in shards]).astype(np.int64)

    def mask(self, changes: tuple[str, ...]) -> np.ndarray:
        """Return which documents the recipe keeps with these changes, bool [n], in the order of the token shards.

        Every step decides from the measures alone; duplicates are found again among the documents that stay.
        """
        recipe = change_recipe(self.run.recipe_table, changes)
        kept = keep(recipe, self.run, RemovalCounts(list(recipe.steps)), self.sizes)
        return np.concatenate([kept[part] for part in self.run.parts])[self.order]


class Cuts:
    """Masks of candidates, each counted once."""

    def __init__(self, pool: Pool):
        self.pool, self.known = pool, dict[Candidate, np.ndarray]()

    def of(self, changes: Candidate) -> np.ndarray:
        """Return which documents of the pool a candidate keeps, bool [n]."""
        if changes not in self.known:
            self.known[changes] = self.pool.mask(changes)
        return self.known[changes]

    def counts(self, changes: Candidate) -> dict[str, int]:
        """Return the documents and bytes that a candidate keeps."""
        mask = self.of(changes)
        return {"documents": int(mask.sum()), "bytes": int(self.pool.bytes[mask].sum())}
