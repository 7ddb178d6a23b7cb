"""Corpus arguments of commands: work folders, folders of shards, or raw files."""

from collections.abc import Sequence

from upath import UPath

from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.inputs.inputs import clean_folder
from gristmill.pipelines.schema import DOCUMENTS, ID, TEXT
from gristmill.pipelines.steps.step import Engine, Input, Progress, run_serial, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.partitions import is_partition
from gristmill.pipelines.storage.shards import shard_schema, shards_of


def corpus_shards(
    paths: Sequence[str],
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    reading: InputSettings | None = None,
) -> dict[Input, dict]:
    """Return each shard of documents in the paths, with its bytes and sha256.

    A work folder stands for its ``clean/``, of which a path may name one partition. Paths that are no finished folder
    of documents are ingested into ``WORK/documents``, by the settings ``reading``. Raises InputError if there is
    nothing to read.
    """
    shards, raw = split_corpus(paths)
    if raw:
        run_step(ingest_step(work, [(reading or InputSettings()).model_copy(update={"paths": raw})]), engine, progress)
        shards |= _shards(work / DOCUMENTS)
    return shards


def split_corpus(paths: Sequence[str]) -> tuple[dict[Input, dict], list[str]]:
    """Return the shards of paths that are finished folders of documents, as `corpus_shards`, and the other paths."""
    shards: dict[Input, dict] = {}
    raw = []
    for path in paths:
        found = _finished(to_path(clean_folder(path)))
        if found is not None and all({ID, TEXT} <= {*shard_schema(shard.path).names} for shard in found):
            shards |= found
        else:
            raw.append(path)
    return shards, raw


def _finished(folder: UPath) -> dict[Input, dict] | None:
    """Return the shards of a finished folder, or of a partition of one; None for any other path."""
    if Manifest.read(folder):
        return _shards(folder)
    if is_partition(folder) and Manifest.read(folder.parent):
        return _shards(folder.parent, f"{folder.name}/")
    return None


def _shards(folder: UPath, beginning: str = "") -> dict[Input, dict]:
    found = shards_of(folder).items()
    return {Input(folder, name, DOCUMENTS): file for name, file in found if name.startswith(beginning)}
