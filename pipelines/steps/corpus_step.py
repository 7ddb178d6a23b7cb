"""Steps over the whole corpus: measured by shard, with all other steps, and decided in one job.

A step may have stages between the two: tasks that run side by side and write files for later stages and the decision.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.schema import DECISION, DECISIONS, ID, SPAN, SPANS
from gristmill.pipelines.settings import Settings, given_name
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.decisions import violation_lists, write_decisions
from gristmill.pipelines.steps.step import Input, Output, Written
from gristmill.pipelines.storage.files import is_local
from gristmill.pipelines.storage.shards import read_shard, write_shard

DUPLICATE = DECISION.names[2:]  # columns of a decision on a duplicate


class ShardVerdict(NamedTuple):
    """Verdict of a step on one shard."""

    part: str
    decisions: pl.DataFrame  # violations; of duplicates also DUPLICATE
    spans: pa.Table | None = None  # schema SPAN, if the step rewrites
    reports: dict[str, pl.DataFrame] | None = None  # by name; those on the whole corpus come with its first shard


class StageTask(NamedTuple):
    """Task of a stage: ``work(*args, outputs) -> list[Written]``, with one output per name, mostly by kernels.

    An output with a version does not change with the rest of the corpus: its task reads earlier stages and the text of
    ``shard``, no measures and no decisions. The version covers all it reads but that text.
    """

    names: dict[str, str]  # of the outputs -> version; "" for an output that depends on all of the corpus
    work: Callable[..., list[Written]]
    args: tuple
    bytes: int = 0  # of input; 0 means those of ``shard``
    shard: str = ""  # the only one whose text it reads


class CorpusStep(Settings):
    """Step over the corpus. Settings in MEASURED change its measures; all others change its decisions only.

    STAGES maps the folders written before the decision, in order, to the settings that change them and later ones.
    """

    NAME: ClassVar[str]
    NEEDS: ClassVar[tuple[str, ...]] = ()  # what its measures need of earlier steps
    PROVIDES: ClassVar[dict[str, str]] = {}  # what it provides to later steps -> column of its measures
    MEASURED: ClassVar[tuple[str, ...]] = ()
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {}
    DECIDES_BY_STAGES: ClassVar[bool] = False  # its stages alone read the decisions of earlier steps
    REPORTS: ClassVar[tuple[str, ...]] = ()  # tables it leaves beside its decisions, for people and commands

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.NAME = given_name(cls)

    @property
    def rewrites(self) -> bool:
        """True if the step writes spans, which ends a pass of the plan."""
        return False

    def inputs(self) -> list[Input]:
        """Return the finished folders that its jobs read besides the corpus."""
        return []

    def input_fingerprint(self) -> str:
        """Return a fingerprint of the files that the step reads and no other step made."""
        return ""

    def measure(self, batch) -> pl.DataFrame:
        """Return the measures that `decide` needs, one row per document."""
        raise NotImplementedError

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """Return the tasks of a stage; ``corpus.stage_folder`` has the folders of earlier stages."""
        raise NotImplementedError

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield the verdict on each shard. ``scratch`` is a local folder that the step makes and removes."""
        raise NotImplementedError

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on."""
        return {"step": self.NAME, **{key: self.model_dump(mode="json")[key] for key in self.MEASURED}}

    def staged_settings(self, name: str) -> dict:
        """Return the settings that a stage depends on."""
        stages = list(self.STAGES)
        keys = [key for stage in stages[: stages.index(name) + 1] for key in self.STAGES[stage]]
        return {"step": self.NAME, **{key: self.model_dump(mode="json")[key] for key in keys}}


def decide_inline(step: CorpusStep, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
    """Run all stages and the decision in this process."""
    for stage in step.STAGES:
        for task in step.stage(stage, corpus):
            task.work(*task.args, tuple(Output(corpus.stage_folder / stage, name) for name in task.names))
    yield from step.decide(corpus, scratch)


def decide_corpus(step: CorpusStep, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write a step's decisions, spans and reports on the documents that earlier steps kept."""
    wrote, wanted = {}, {(output.name, output.kind): output for output in outputs}
    with scratch_beside(corpus.stage_folder) as scratch:
        for part, decisions, spans, reports in step.decide(corpus, scratch):
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
    """Yield an empty local folder for temporary files, beside ``folder`` if that is local; remove it afterwards."""
    if is_local(folder):
        scratch = Path(str(folder / "scratch" / name))
        shutil.rmtree(scratch, ignore_errors=True)
        yield scratch
        shutil.rmtree(scratch, ignore_errors=True)
        return
    with TemporaryDirectory(prefix="gristmill-") as local:
        yield Path(local) / "scratch"


def rows_by_part(frame: pl.DataFrame) -> Callable[[str], pl.DataFrame]:
    """Return a function from the name of a shard to the rows whose ``part`` it is, in their order."""
    parts = {part: rows for (part,), rows in frame.partition_by("part", as_dict=True).items()}
    return lambda part: parts.get(part, frame.clear())


def duplicate_verdict(part: str, documents: int, found: pl.DataFrame, rule: str, threshold: float) -> ShardVerdict:
    """Return the verdict on a shard from its duplicates (columns row and those of DECISION that they have).

    The lowest similarity is the value that breaks the rule.
    """
    mine = found.select(pl.col("row").cast(pl.Int64), *(name for name in DUPLICATE if name in found.columns))
    every = pl.DataFrame({"row": np.arange(documents)})
    decisions = every.join(mine, on="row", how="left", maintain_order="left").drop("row")
    lowest = mine.select(pl.min_horizontal(r"^.*similarity$")).to_series()
    violations = violation_lists(documents, [(rule, mine["row"].to_numpy(), lowest.to_numpy(), threshold)])
    return ShardVerdict(part, decisions.with_columns(violations=violations))
