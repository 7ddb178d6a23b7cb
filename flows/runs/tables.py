"""Tables of a finished run as lazy frames, and SQL over them. Nothing can be written."""

import polars as pl
import pyarrow as pa
from polars.exceptions import PolarsError
from upath import UPath

from gristmill.flows.clean.plan import report_of
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import RecipeError, WorkError, nearest, shown
from gristmill.pipelines.schema import DOCUMENT, ID, MEASURES
from gristmill.pipelines.steps.apply import LEDGER, WHY
from gristmill.pipelines.storage.inspect import readable, scan_shards, sql_tokens
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import list_shards

REMOVED = pa.schema([*DOCUMENT, *WHY.items()])
TABLES = {"documents": DOCUMENT, "clean": DOCUMENT, "removed": REMOVED, "ledger": LEDGER}  # name -> least columns
QUERIES = ("select", "with", "explain", "show")  # first words of statements that change nothing


def scan(folder: UPath, empty: pa.Schema | None = None) -> pl.LazyFrame:
    """Return the shards of a finished folder; without shards, no rows of the schema ``empty``.

    Raises WorkError if the folder is unfinished.
    """
    shards = list_shards(folder)
    return scan_shards(shards) if shards else pl.LazyFrame((empty or pa.schema([])).empty_table())


def scan_table(run: FinishedRun, name: str) -> pl.LazyFrame:
    """Return one of TABLES."""
    return scan(run.folder / name, TABLES[name])


def scan_step(run: FinishedRun, step: str, table: str = MEASURES) -> pl.LazyFrame:
    """Return a table of a step. Measures have a row per document of ``documents/``, and here its id as well.

    Raises RecipeError for an unknown step, WorkError for a table that the step has not made.
    """
    if step not in run.recipe.steps:
        raise RecipeError(f"the run has no step {step!r}; {nearest(step, list(run.recipe.steps))}")
    folder = report_of(run.folder, step, table)
    if Manifest.read(folder) is None:
        made = sorted(path.name for path in folder.parent.iterdir() if Manifest.read(path))
        raise WorkError(f"step {step!r} has no table {table!r}; {nearest(table, made)}")
    rows = scan(folder)
    if table != MEASURES or not run.parts:
        return rows
    return pl.concat([scan(run.folder / "ledger").select(ID), rows], how="horizontal")


def frames(run: FinishedRun) -> dict[str, pl.LazyFrame]:
    """Return the tables that a query may name: TABLES, and the measures of each step by its name."""
    tables = {name: scan_table(run, name) for name in TABLES}
    return tables | {name: scan_step(run, name) for name in run.recipe.steps if name not in tables}


def checked(sql: str) -> str:
    """Return a query. Raises RecipeError for a statement that is no query, or that could read another file."""
    words = [word.lower() for word, _ in sql_tokens(sql, "sql") if not word.isspace()]
    if not words or words[0] not in QUERIES:
        raise RecipeError(f"sql {shown(sql)}: expected a query that begins with {', '.join(QUERIES)}")
    return sql


def query(run: FinishedRun, sql: str) -> pl.LazyFrame:
    """Return the result of a query over the tables of a run.

    Raises RecipeError for a statement that is no query, reads another file, or names an unknown table or column.
    """
    sql = checked(sql)
    try:
        result = pl.SQLContext(frames(run), register_globals=False, eager=False).execute(sql)
        result.collect_schema()
    except PolarsError as error:
        raise RecipeError(f"sql {shown(sql)}: {str(error).splitlines()[0]}") from None
    return result


def collect(rows: pl.LazyFrame, what: object) -> pl.DataFrame:
    """Return the rows of a lazy frame; raise WorkError, naming ``what``, if a shard is damaged."""
    with readable(what):
        return rows.collect(engine="streaming")
