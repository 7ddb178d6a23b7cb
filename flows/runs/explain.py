"""History of one document, from the ledger and the measures."""

from collections.abc import Iterable

import numpy as np
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.clean.plan import measures_of
from gristmill.flows.clean.run import REMEDY
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import count_rows, list_shards, read_rows, read_shard


def explain(work: UPath, id: str) -> dict:
    """Return a document's row of the ledger, with its measures by step.

    Raises WorkError if the work folder is unfinished or does not contain the document.
    """
    return document_history(work, *find_document(work, id))


def find_document(work: UPath, id: str) -> tuple[str, int]:
    """Return the shard and the row of a document. Raises WorkError if the run does not contain it."""
    require_finished(work / "ledger", REMEDY)
    for path in list_shards(work / "ledger"):
        rows = np.flatnonzero(pc.equal(read_shard(path, [ID])[ID], id).to_numpy())
        if rows.size:
            return path.stem, int(rows[0])
    raise WorkError(f"{work} has no document {id!r}; `gristmill inspect {work}/ledger --rows 3` prints a few ids")


def document_history(work: UPath, part: str, row: int, steps: Iterable[str] | None = None) -> dict:
    """Return the same as `explain` for one row of a shard, with the measures of ``steps`` (default: all)."""
    (found,) = read_rows(work / "ledger" / f"{part}.parquet", np.array([row])).to_pylist()
    measures = {name: _measures(work, name, part, row) for name in (_steps(work) if steps is None else steps)}
    return {**found, "shard": part, "row": row, "measures": measures}


def _steps(work: UPath) -> list[str]:
    return require_finished(work / "ledger", REMEDY).settings["steps"]


def _measures(work: UPath, name: str, part: str, row: int) -> dict:
    """Return the measures of a document; raise WorkError if the run was started again, and has only its old ledger."""
    path = measures_of(work, name) / f"{part}.parquet"
    if path.name not in require_finished(path.parent, REMEDY).files or row >= count_rows(path):
        raise WorkError(f"{path.parent} is newer than {work}/ledger; end the run by the same `gristmill clean`")
    (found,) = read_rows(path, np.array([row])).to_pylist()
    return found
