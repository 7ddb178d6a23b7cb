"""A finished work folder, opened to be told of: its recipe, its sums, its tables shard by shard."""

import copy
from pathlib import PurePath
from typing import Any

import orjson
import polars as pl
from upath import UPath

from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.plan import shards_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import RECIPE, SUMMARY
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.shards import list_shards, read_shard

REMEDY = "`gristmill clean RECIPE --input … --output WORK` makes it"


class FinishedRun:
    """``recipe``, its ``table`` as anybody may read it, the ``summary``, the ``parts`` (shards), the ``version``."""

    def __init__(self, folder: UPath):
        """Raises WorkError where the run is unfinished."""
        self.folder = folder
        self.version = require_finished(folder / "ledger", REMEDY).version
        table = orjson.loads((folder / RECIPE).read_bytes())
        self.table = without_places(table)
        self.recipe = parse_recipe(_without_keys(table), str(folder / RECIPE))
        self.summary = orjson.loads((folder / SUMMARY).read_bytes())
        self.parts = list(shards_of(folder / "ledger"))

    def shard(self, folder: UPath, part: str, columns: list[str] | None = None) -> pl.DataFrame:
        return pl.from_arrow(read_shard(folder / f"{part}.parquet", columns))

    def whole(self, folder: UPath, columns: list[str] | None = None) -> pl.DataFrame | None:
        """All shards of a table; None where the run has not made it."""
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
