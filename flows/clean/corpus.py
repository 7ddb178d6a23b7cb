"""A corpus as people name it: finished work folders, folders of shards, or raw files to be read first."""

from collections.abc import Sequence

from upath import UPath

from gristmill.flows.clean.plan import shards_of
from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import list_shards, shard_schema


def corpus_shards(
    paths: Sequence[str], work: UPath, engine: Engine = run_serial, progress: Progress | None = None
) -> dict[UPath, dict]:
    """The shards of documents, path -> what their manifest says of them (bytes, sha256).

    Of a work folder ``clean/`` is meant. What is no finished folder of documents is read into ``WORK/documents``.
    Raises InputError where there is nothing to read.
    """
    shards, raw = {}, []
    for path in paths:
        folder = to_path(path)
        folder = folder / "clean" if Manifest.read(folder / "clean") else folder
        if Manifest.read(folder) and all({ID, TEXT} <= {*shard_schema(shard).names} for shard in list_shards(folder)):
            shards |= {folder / f"{name}.parquet": file for name, file in shards_of(folder).items()}
        else:
            raw.append(path)
    if raw:
        run_step(ingest_step(work, InputSettings(paths=raw)), engine, progress)
        shards |= {work / "documents" / f"{name}.parquet": file for name, file in shards_of(work / "documents").items()}
    return shards
