"""Finished run in a work folder: its recipe, its summary, its tables shard by shard."""

import copy
from pathlib import PurePath
from typing import Any

import polars as pl
from upath import UPath

from gristmill.filters.core.filter import LANGUAGE, provider
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.own_steps import RECORD
from gristmill.flows.clean.plan import language_step, measures_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import REMEDY
from gristmill.flows.engine.run_lock import RECIPE, SUMMARY
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import verify_file
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.sealed import read_sealed
from gristmill.pipelines.storage.shards import read_shard, shards_of


class FinishedRun:
    """Run in a work folder: its recipe, its summary, the names of its shards (``parts``), Gristmill's version.

    ``recipe_table`` is the recipe as it ran. ``recipe`` has no key file, so that a run opens without its key.
    """

    def __init__(self, folder: UPath):
        """Open a run; raise WorkError if it is unfinished or has no recipe."""
        self.folder = folder
        self.version = require_finished(folder / "ledger", REMEDY).version
        self.parts = list(shards_of(folder / "ledger"))
        remedy = "remove it and run the same `gristmill clean` again, which writes it anew"
        try:
            self.recipe_table, self.summary = (read_sealed(folder / name, remedy) for name in (RECIPE, SUMMARY))
        except FileNotFoundError as error:
            raise WorkError(f"{error.filename} is missing; {REMEDY}") from None
        self.recipe = parse_recipe(_without_keys(self.recipe_table), str(folder / RECIPE))
        self._files: dict[str, dict[str, dict]] = {}

    @property
    def table(self) -> dict:
        """Recipe as JSON that may be published."""
        steps = {
            name: {key: value for key, value in step.items() if key != RECORD}
            for name, step in self.recipe_table["steps"].items()
        }
        return without_places(self.recipe_table | {"steps": steps})

    def shard(self, folder: UPath, part: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return one shard of a table. Raises WorkError if its checksum is wrong."""
        path = folder / f"{part}.parquet"
        self.verify(folder, path.name)
        return pl.DataFrame(read_shard(path, columns))

    def verify(self, folder: UPath, begin: str) -> None:
        """Raise WorkError if the checksum of a file of a table is wrong whose name begins so."""
        if str(folder) not in self._files:
            self._files[str(folder)] = require_finished(folder, REMEDY).files
        for name, file in self._files[str(folder)].items():
            if name.startswith(begin):
                verify_file(folder / name, file["sha256"])

    def ledger(self, part: str, columns: list[str]) -> pl.DataFrame:
        """Return columns of a shard's ledger."""
        return self.shard(self.folder / "ledger", part, columns)

    def measures(self, step: str, part: str, columns: list[str] | None = None) -> pl.DataFrame:
        """Return a step's measures of a shard's documents."""
        return self.shard(measures_of(self.folder, step), part, columns)

    def languages(self, part: str, step: str | None = None) -> pl.Series | None:
        """Return the languages of a shard's documents, null if uncertain; None if no step provides them.

        With ``step``, they are the languages that choose the profiles of this step.
        """
        source = language_step(self.recipe, step) if step else provider(self.recipe.steps, LANGUAGE)
        if source is None:
            return None
        column = self.recipe.steps[source].PROVIDES[LANGUAGE]
        return self.measures(source, part, [column])[column]

    def whole(self, folder: UPath, columns: list[str] | None = None) -> pl.DataFrame | None:
        """Return all shards of a table, or None if the run has not made it."""
        if Manifest.read(folder) is None:
            return None
        frames = [self.shard(folder, part, columns) for part in shards_of(folder)]
        return pl.concat(frames) if frames else None


def _without_keys(table: dict) -> dict:
    """Return the recipe without its key file, which readers of a report do not have."""
    table = copy.deepcopy(table)
    for step in table["steps"].values():
        if step["use"] == PiiFilter.NAME:
            step.update(replacement="tag", replacements={}, key_file=None)
    return table


def without_places(value: Any) -> Any:
    """Replace absolute paths by names of files: a published recipe does not reveal the folders of a machine.

    >>> without_places({"paths": ["/home/ada/crawl.jsonl", "demo"]})
    {'paths': ['crawl.jsonl', 'demo']}
    """
    if isinstance(value, dict):
        return {key: without_places(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_places(each) for each in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
