"""Corpus arguments of commands: work folders, folders of shards, or raw files."""

from collections.abc import Sequence

from upath import UPath

from gristmill.flows.clean.plan import shards_of
from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.inputs.inputs import clean_folder
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import list_shards, shard_schema


def corpus_shards(
    paths: Sequence[str], work: UPath, engine: Engine = run_serial, progress: Progress | None = None
) -> dict[UPath, dict]:
    """Return path -> bytes and sha256 for each shard of documents in the paths.

    A work folder stands for its ``clean/``. Paths that are no finished folder of documents are ingested into
    ``WORK/documents``. Raises InputError if there is nothing to read.
    """
    shards: dict[UPath, dict] = {}
    raw = []
    for path in paths:
        folder = to_path(clean_folder(path))
        if Manifest.read(folder) and all({ID, TEXT} <= {*shard_schema(shard).names} for shard in list_shards(folder)):
            shards |= {folder / f"{name}.parquet": file for name, file in shards_of(folder).items()}
        else:
            raw.append(path)
    if raw:
        run_step(ingest_step(work, [InputSettings(paths=raw)]), engine, progress)
        shards |= {work / "documents" / f"{name}.parquet": file for name, file in shards_of(work / "documents").items()}
    return shards
