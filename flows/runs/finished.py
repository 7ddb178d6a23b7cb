"""A finished work folder, opened to be read: its recipe, its sums, its tables shard by shard."""

import copy
from pathlib import PurePath
from typing import Any

import orjson
import polars as pl
from upath import UPath

from gristmill.filters.core.filter import LANGUAGE, provider
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.plan import labelled_by, measures_of, shards_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import RECIPE, SUMMARY
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.shards import list_shards, read_shard

REMEDY = "`gristmill clean RECIPE --input … --output WORK` makes it"


class FinishedRun:
    """The run in a work folder: its recipe, its summary, the names of its shards (``parts``), the version that ran.

    ``recipe_json`` is the recipe as it ran. ``recipe`` hides nothing by a key, so that no key is needed to open a run.
    """

    def __init__(self, folder: UPath):
        """Raises WorkError where the run is unfinished, or was made by no recipe."""
        self.folder = folder
        self.version = require_finished(folder / "ledger", REMEDY).version
        self.parts = list(shards_of(folder / "ledger"))
        try:
            self.recipe_json, summary = ((folder / name).read_bytes() for name in (RECIPE, SUMMARY))
        except FileNotFoundError as error:
            raise WorkError(f"{error.filename} is missing; {REMEDY}") from None
        self.recipe = parse_recipe(_without_keys(orjson.loads(self.recipe_json)), str(folder / RECIPE))
        self.summary = orjson.loads(summary)

    @property
    def table(self) -> dict:
        """The recipe as JSON that anybody may read."""
        return without_places(orjson.loads(self.recipe_json))

    def shard(self, folder: UPath, part: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return one shard of a table."""
        return pl.from_arrow(read_shard(folder / f"{part}.parquet", columns))

    def ledger(self, part: str, columns: list[str]) -> pl.DataFrame:
        """Return what became of each document of a shard."""
        return self.shard(self.folder / "ledger", part, columns)

    def measures(self, step: str, part: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return what a step measured of each document of a shard."""
        return self.shard(measures_of(self.folder, step), part, columns)

    def languages(self, part: str, step: str | None = None) -> pl.Series | None:
        """Return the language of each document of a shard, null where it is unsure; None where no step provides it.

        With ``step``, the language is the one that chooses the profiles of this step.
        """
        speaker = labelled_by(self.recipe, step) if step else provider(self.recipe.steps, LANGUAGE)
        if speaker is None:
            return None
        column = self.recipe.steps[speaker].PROVIDES[LANGUAGE]
        return self.measures(speaker, part, [column])[column]

    def whole(self, folder: UPath, columns: list[str] | None = None) -> pl.DataFrame | None:
        """Return all shards of a table; None where the run has not made it."""
        if Manifest.read(folder) is None:
            return None
        frames = [pl.from_arrow(read_shard(path, columns)) for path in list_shards(folder)]
        return pl.concat(frames) if frames else None


def _without_keys(table: dict) -> dict:
    """The recipe as anybody may read it: what it hides by a key needs no key to be told of."""
    table = copy.deepcopy(table)
    for step in table["steps"].values():
        if step["use"] == PiiFilter.NAME:
            step.update(replacement="tag", replacements={}, key_file=None)
    return table


def without_places(value: Any) -> Any:
    """A table whose absolute paths are names of files: where they lie on somebody's machine is nobody else's business.

    >>> without_places({"paths": ["/home/ada/crawl.jsonl", "demo"]})
    {'paths': ['crawl.jsonl', 'demo']}
    """
    if isinstance(value, dict):
        return {key: without_places(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_places(each) for each in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
