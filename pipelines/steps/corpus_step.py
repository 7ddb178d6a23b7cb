"""Steps that must see the whole corpus: measured shard by shard with all others, decided in one go.

What takes long in between may be a stage: pieces of work that run side by side and leave files for what comes after.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.schema import DECISIONS, ID, SPAN, SPANS
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.decisions import broken_lists, write_decisions
from gristmill.pipelines.steps.step import Input, Output, Written
from gristmill.pipelines.storage.files import is_local
from gristmill.pipelines.storage.shards import read_shard, write_shard


class ShardVerdict(NamedTuple):
    """What a step says of one shard."""

    part: str
    decisions: pl.DataFrame  # broken (list of {rule, value, threshold}); duplicate_of and similarity where it has them
    spans: pa.Table | None = None  # schema SPAN, of a step that rewrites
    reports: dict[str, pl.DataFrame] | None = None  # by name; what is of the whole corpus lies with its first shard


class StageTask(NamedTuple):
    """What one job of a stage makes: ``work(*args, outputs) -> list[Wrote]`` for one output of that name."""

    name: str
    work: Callable[..., list[Written]]
    args: tuple
    bytes: int = 0  # of input; 0 for a shard's


class CorpusStep(Settings):
    """A step over the corpus. Settings named in MEASURED change its measures; all others only what it decides.

    STAGES are the folders made before it is judged, in order, each with the settings that change it and all later ones.
    """

    NAME: ClassVar[str]
    NEEDS: ClassVar[tuple[str, ...]] = ()  # what its measures need of earlier steps
    PROVIDES: ClassVar[dict[str, str]] = {}  # what it provides to later steps -> column of its measures
    MEASURED: ClassVar[tuple[str, ...]] = ()
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {}
    REPORTS: ClassVar[tuple[str, ...]] = ()  # tables it leaves beside its decisions, for people and commands

    @property
    def rewrites(self) -> bool:
        """Does it leave spans, and end a pass of the plan?"""
        return False

    def inputs(self) -> list[Input]:
        """Return the finished folders that its jobs read besides the corpus."""
        return []

    def made_of(self) -> list:
        """Return, as JSON, what else its decisions depend on: the contents of files that no step made."""
        return []

    def measure(self, batch) -> pl.DataFrame:
        """One row a document: what deciding needs of it."""
        raise NotImplementedError

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """The pieces of a stage, those before it being in their folders in ``corpus.made``."""
        raise NotImplementedError

    def warm_up(self, stage: str) -> None:
        """Compile what a stage and those after it run, before workers do the same at once."""

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Every shard in turn. ``scratch`` is a folder on a local disk to make, and to remove."""
        raise NotImplementedError

    def measured_settings(self) -> dict:
        return {"step": self.NAME, **{key: self.model_dump(mode="json")[key] for key in self.MEASURED}}

    def staged_settings(self, name: str) -> dict:
        stages = list(self.STAGES)
        keys = [key for stage in stages[: stages.index(name) + 1] for key in self.STAGES[stage]]
        return {"step": self.NAME, **{key: self.model_dump(mode="json")[key] for key in keys}}


def decide_inline(step: CorpusStep, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
    """All stages and the judgement in this process."""
    for stage in step.STAGES:
        for piece in step.stage(stage, corpus):
            piece.work(*piece.args, (Output(corpus.made / stage, piece.name),))
    yield from step.judge(corpus, scratch)


def decide_corpus(step: CorpusStep, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write a step's decisions, spans if it rewrites, and reports, on the documents that the steps before it left."""
    wrote, wanted = {}, {(output.name, output.kind): output for output in outputs}
    with scratch_beside(corpus.made) as scratch:
        for part, decisions, spans, reports in step.judge(corpus, scratch):
            if output := wanted.get((part, DECISIONS)):
                ids = read_shard(corpus.documents / f"{part}.parquet", [ID])[ID]
                wrote[part, DECISIONS] = Written([output.path.name], write_decisions(output.path, ids, *decisions))
            if spans is not None and (output := wanted.get((part, SPANS))):
                write_shard(output.path, [spans], SPAN)
                counts = {"spans": spans.num_rows, "bytes": int(spans["length"].to_numpy().sum())}
                wrote[part, SPANS] = Written([output.path.name], counts)
            for name, frame in (reports or {}).items():
                if output := wanted.get((part, name)):
                    table = frame.to_arrow()
                    write_shard(output.path, [table], table.schema)
                    wrote[part, name] = Written([output.path.name], {"rows": table.num_rows})
    return [wrote[key] for key in wanted]


@contextmanager
def scratch_beside(folder: UPath, name: str = "") -> Iterator[Path]:
    """Where files that are not kept may lie, gone before and after: beside a local work folder's, else on our disk."""
    if is_local(folder):
        scratch = Path(str(folder / "scratch" / name))
        shutil.rmtree(scratch, ignore_errors=True)
        yield scratch
        shutil.rmtree(scratch, ignore_errors=True)
        return
    with TemporaryDirectory(prefix="gristmill-") as local:
        yield Path(local) / "scratch"


def duplicates_by_shard(found: pl.DataFrame, corpus: Corpus, rule: str, threshold: float) -> Iterator[ShardVerdict]:
    """Duplicates (columns part, row, duplicate_of, similarity) as decisions on all documents, shard by shard."""
    for part in corpus.parts:
        mine = found.filter(part=part).select(pl.col("row").cast(pl.Int64), "duplicate_of", "similarity")
        every = pl.DataFrame({"row": np.arange(corpus.rows[part])})
        decisions = every.join(mine, on="row", how="left", maintain_order="left").drop("row")
        gone = mine["row"].to_numpy(), mine["similarity"].to_numpy()
        yield ShardVerdict(part, decisions.with_columns(broken=broken_lists(every.height, [(rule, *gone, threshold)])))
