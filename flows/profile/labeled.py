"""Labeled documents of a corpus: how many there are by language and probability, and samples of them.

All documents are labeled as in a run: by jobs, whose finished parts a second run skips. The documents of a sample have
the smallest hashes of their ids, so shards and workers change nothing and memory is bounded.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from upath import UPath

from gristmill.filters.core.filter import LANGUAGE, provider
from gristmill.filters.langid.filter import Language
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.rules.code import CODE, Code
from gristmill.filters.thresholds.confidence import BINS, histogram
from gristmill.flows.clean.plan import measure_step, measures_of
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.inputs.input_tables import other_input
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENTS, ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.storage.shards import shards_of


class Labeled:
    """Documents of a folder with the languages that a recipe's steps gave them. Source code has none."""

    def __init__(self, folder: UPath, recipe: Recipe):
        parts = list(shards_of(folder / DOCUMENTS))
        corpora = {
            name: Corpus(folder / DOCUMENTS, measures_of(folder, name), parts, lambda _, rows: np.ones(rows, np.bool_))
            for name, step in labeling(recipe).items()
            if isinstance(step, Language | Code)
        }
        self.language = next(corpora[name] for name in corpora if isinstance(recipe.steps[name], Language))
        self.code = [corpora[name] for name in corpora if isinstance(recipe.steps[name], Code)]
        self.documents = self.language.n_documents
        self.probabilities: dict[str, np.ndarray] = {}  # language -> documents by BINS of probability
        for part in parts:
            for (label,), frame in self._labels(part).group_by("label"):
                seen = self.probabilities.setdefault(str(label), np.zeros(BINS, np.int64))
                seen += histogram(frame["probability"].to_numpy())

    def of(self, language: str) -> int:
        """Return the number of documents in a language, of any probability."""
        return int(self.probabilities.get(language, np.zeros(1)).sum())

    def _labels(self, part: str) -> pl.DataFrame:
        """Return row, label and probability of a shard's documents in a language."""
        frame = pl.DataFrame(self.language.measured(part, ["label", "probability"])).with_row_index("row")
        for code in self.code:
            frame = frame.filter(pl.DataFrame(code.measured(part, ["label"]))["label"].gather(frame["row"]) != CODE)
        return frame.filter(pl.col("label") != UNKNOWN)

    def sample(self, minima: dict[str, float], most: int) -> pl.DataFrame:
        """Return part, row and label of up to ``most`` documents of each language, in the order of the corpus.

        ``minima`` has the languages, with the minimum probability of a document.
        """
        kinds = {"part": pl.String, "row": pl.UInt32, "label": pl.String, "hash": pl.UInt64}
        chosen = pl.DataFrame(schema=kinds)
        for part in self.language.parts:
            frame = self._labels(part)
            least = frame["label"].replace_strict(minima, default=2.0, return_dtype=pl.Float64)
            frame = frame.filter(frame["probability"] >= least)
            ids = self.language.columns(part, [ID], frame["row"].to_numpy())[ID]
            hashes = pl.Series("hash", hash_rows(*Ragged.from_text(ids.to_arrow())), pl.UInt64)
            frame = frame.with_columns(hashes, part=pl.lit(part)).select(*kinds)
            ranked = pl.concat([chosen, frame]).sort("hash", "part", "row")
            chosen = ranked.group_by("label", maintain_order=True).head(most).select(*kinds)
        return chosen.drop("hash").sort("part", "row")

    def texts(self, sample: pl.DataFrame) -> Iterator[tuple[Ragged, np.ndarray]]:
        """Yield the texts of a sample with their languages, str[n], by row group."""
        for (part,), frame in sample.group_by("part", maintain_order=True):
            languages, at = frame["label"].to_numpy(), 0
            for text in self.language.texts(str(part), frame["row"].to_numpy().astype(np.int64)):
                yield text, languages[at : at + text.rows]
                at += text.rows


def labeling(recipe: Recipe) -> dict:
    """Return the steps of a recipe up to the last one that gives a language. Raises RecipeError without one."""
    if not any(isinstance(step, Language) for step in recipe.steps.values()):
        raise RecipeError(f"{recipe.name} has no language step, so no document gets a language profile")
    names = list(recipe.steps)
    last = names.index(str(provider(recipe.steps, LANGUAGE)))
    return {name: recipe.steps[name] for name in names[: last + 1]}


def label_documents(
    paths: Sequence[str], folder: UPath, recipe: Recipe, engine: Engine = run_serial, progress: Progress | None = None
) -> Labeled:
    """Read the documents of paths into a folder and label them as the recipe does. A work folder is its ``clean/``.

    Raises InputError if there is no document.
    """
    steps = labeling(recipe)
    short = recipe.model_copy(update={"steps": steps, "input": (other_input(recipe.input, paths),)})
    with exclusive_run(folder):
        run_step(ingest_step(folder, short.input), engine, progress)
        run_step(measure_step(short, folder, shards_of(folder / DOCUMENTS), list(steps)), engine, progress)
    labeled = Labeled(folder, short)
    if not labeled.documents:
        raise InputError(f"{', '.join(paths)}: no documents, so no thresholds can be found")
    return labeled
