"""Why: one document's story, out of the ledger and the measures."""

import polars as pl
from upath import UPath

from flows.plan import measures_of, shards_of
from pipelines.errors import WorkError
from pipelines.schema import ID
from pipelines.step import finished


def explain(work: UPath, id: str) -> dict:
    """The ledger's row of a document and, by step, everything that was measured of it.

    Raises WorkError where the work folder is unfinished or holds no such document.
    """
    finished(work / "ledger", "`gristmill clean RECIPE --input … --output WORK` makes it")
    for part in shards_of(work / "ledger"):
        rows = _rows(work / "ledger" / f"{part}.parquet")
        found = rows.filter(pl.col(ID) == id)
        if len(found):
            row = found["row"][0]
            measures = {name: _measures(work, name, part, row) for name in _steps(work)}
            return {**found.drop("row").row(0, named=True), "shard": part, "row": row, "measures": measures}
    raise WorkError(f"{work} knows no document {id!r}; `gristmill inspect {work}/ledger --sample 3` shows some ids")


def _steps(work: UPath) -> list[str]:
    return finished(work / "ledger", "").settings["steps"]


def _rows(path: UPath) -> pl.DataFrame:
    with path.open("rb") as file:
        return pl.read_parquet(file).with_row_index("row")


def _measures(work: UPath, name: str, part: str, row: int) -> dict:
    with (measures_of(work, name) / f"{part}.parquet").open("rb") as file:
        return pl.read_parquet(file, n_rows=row + 1).row(row, named=True)
