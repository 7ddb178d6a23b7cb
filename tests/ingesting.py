"""A folder of small raw files, ingested: what the tests of ingest share."""

from pathlib import Path

import orjson
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.steps.step import run_step
from gristmill.pipelines.storage.shards import list_shards, read_shard


def lines(*rows: dict) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def write(folder: Path, **files: bytes) -> Path:
    """Files by name; ``__`` stands for the dot that a keyword cannot hold."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return folder


def ingest(work: Path, *paths, **settings) -> "Ingested":
    settings = InputSettings(**{"paths": [str(path) for path in paths], "max_reject_fraction": 1.0} | settings)
    run_step(ingest_step(UPath(work), [settings]))
    return Ingested(work)


class Ingested:
    """What lies in a work folder."""

    def __init__(self, work: Path):
        self.work = work

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables([read_shard(shard) for shard in list_shards(UPath(self.work / "documents"))])

    @property
    def rows(self) -> list[dict]:
        return self.table.to_pylist()

    @property
    def texts(self) -> list[str]:
        return self.table["text"].to_pylist() if any((self.work / "documents").glob("*.parquet")) else []

    @property
    def rejects(self) -> list[dict]:
        files = sorted((self.work / "rejects").glob("*.jsonl"))
        return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]

    @property
    def places(self) -> list[tuple[str, int, str]]:
        """File, position and class of reason of each reject."""
        return [(r["file"], r["position"], r["reason"].partition(":")[0]) for r in self.rejects]
