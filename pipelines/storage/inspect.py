"""Inspection of a table on disk: Parquet shards or JSON lines, in any folder and of any size.

All queries are lazy and streamed by Polars: 2 GB of shards take 0.2 GB of memory. Memory grows with the rows by 4
bytes per length of a text and 8 bytes per number of a histogram.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.datatypes import DataTypeClass
from polars.exceptions import PolarsError
from polars.selectors import by_name  # pl.col reads "*" and "^…$" as patterns
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, WorkError, nearest, shown
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.partitions import files_below

JSON_LINES = (".jsonl", ".jsonl.zst", ".jsonl.gz", ".ndjson")
LONGEST_WHERE = 2_000  # characters: Polars takes 0.2 s for 400 terms, and four times as long for twice as many
TOKEN = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|(?P<name>[\w.]+)|\s+|-(?!-)|/(?!\*)|[]+*%<>=!~|&^(),:[]""")
PERCENTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)


class Table(NamedTuple):
    """Files of one schema as one lazy table."""

    path: UPath
    files: list[UPath]
    rows: pl.LazyFrame


def open_table(path: UPath) -> Table:
    """Open a shard, a file of JSON lines, or a folder of either. Raises InputError if there is none."""
    files = sorted(files_below(path)) if path.is_dir() else [path]
    shards = [file for file in files if file.suffix == ".parquet"]
    lines = [file for file in files if file.name.endswith(JSON_LINES)]
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if not shards and not lines:
        folders = sorted(file for file in path.iterdir() if file.is_dir()) if path.is_dir() else []
        within = [folder.name for folder in folders if not folder.name.startswith(".")]
        hint = f"; look into one of its folders: {', '.join(within)}" if within else ""
        raise InputError(f"{path} holds neither *.parquet nor *.jsonl{hint}")
    with readable(path):
        if shards:
            rows = scan_shards(shards)
        else:
            rows = pl.scan_ndjson([str(file) for file in lines], infer_schema_length=None)
        rows.collect_schema()
    return Table(path, shards or lines, rows)


def scan_shards(shards: Iterable[UPath]) -> pl.LazyFrame:
    """Return shards of one schema as one lazy frame, with their rows in order."""
    return pl.scan_parquet([str(file) for file in shards], glob=False, hive_partitioning=False)


@contextmanager
def readable(path: object) -> Iterator[None]:
    """Raise errors of Polars and Arrow in the block as a WorkError that names the path."""
    try:
        yield
    except (PolarsError, pa.ArrowInvalid) as error:
        raise WorkError(f"{path} cannot be read: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:300]


def where(table: Table, expression: str) -> Table:
    """Filter the rows by a Polars SQL condition.

    Names with dots need no quotes, and ``len(text)`` means ``length(text)``, in characters. Raises RecipeError for an
    expression that does not parse, names an unknown column, could open a file or is no condition.
    """
    schema = table.rows.collect_schema()
    if len(expression) > LONGEST_WHERE:
        raise RecipeError(f"--where has {len(expression):,} characters; expected at most {LONGEST_WHERE:,}")
    try:
        condition = pl.sql_expr(_as_sql(expression, set(schema)))
        pl.DataFrame(schema=schema).lazy().filter(condition).collect()
    except PolarsError as error:
        raise RecipeError(f"--where {expression!r}: {_first_line(error)}") from error
    return table._replace(rows=table.rows.filter(condition))


def _as_sql(expression: str, columns: set[str]) -> str:
    """Return a condition as Polars' SQL has it, without queries or functions that read files.

    Polars opens the files of ``read_csv('…')`` as soon as it parses them. Comments and further kinds of quotes, which
    could hide such a call from this function, are refused.
    """
    sql = []
    for word, call in sql_tokens(expression, "--where"):
        if word.lower() == "select":
            raise RecipeError(f"--where {expression!r}: {word} could read another file; expected a condition on a row")
        if call and word.lower() == "len":
            word = "length"
        sql.append(f'"{word}"' if word in columns and "." in word else word)
    return "".join(sql)


def sql_tokens(text: str, where: str) -> Iterator[tuple[str, bool]]:
    """Yield each token of an SQL text, and True if it is followed by "(".

    Raises RecipeError for a function that reads files, and for comments and quotes that could hide one.
    """
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise RecipeError(f"{where} {shown(text)}: unexpected {text[at : at + 2]!r}")
        at, word, call = found.end(), found[0], text[found.end() :].lstrip().startswith("(")
        if call and word.lower().split(".")[-1].startswith(("read_", "scan_", '"')):
            raise RecipeError(f"{where} {shown(text)}: {word} could read another file")
        yield word, call


def only(table: Table, columns: list[str], option: str = "--columns") -> list[str]:
    """Check column names and return them, or all columns if none are given. Raises RecipeError for unknown names."""
    known = table.rows.collect_schema().names()
    for column in columns:
        if column not in known:
            raise RecipeError(f"{option}: no column {column!r} in {table.path}; {nearest(column, known)}")
    return columns or known


def overview(table: Table, columns: list[str]) -> dict:
    """Return sizes, types, nulls and percentiles of the lengths of texts."""
    schema = table.rows.collect_schema()
    narrow = {f"null.{c}": by_name(c).is_null() for c in columns}
    asked = {"rows": pl.len()} | {null: by_name(null).sum() for null in narrow}
    if schema.get(TEXT) == pl.String:
        narrow |= {"bytes": pl.col(TEXT).str.len_bytes(), "characters": pl.col(TEXT).str.len_chars()}
        asked["bytes"] = pl.col("bytes").cast(pl.UInt64).sum()  # Polars sums 32-bit lengths in 32 bits
        asked |= {f"p{p}": pl.col("characters").quantile(p / 100, "nearest") for p in PERCENTILES}
    with readable(table.path):
        # Two selects: with one, several quantiles would hold the whole text, 2.3 GB instead of 0.15.
        found = table.rows.select(**narrow).select(**asked).collect(engine="streaming").row(0, named=True)
        groups = [] if table.files[0].suffix != ".parquet" else _row_groups(table.files)
    return {
        "path": str(table.path),
        "files": len(table.files),
        "file_bytes": sum(file.stat().st_size for file in table.files),
        "rows": found["rows"],
        "columns": [{"name": c, "type": _type(schema[c]), "nulls": found[f"null.{c}"]} for c in columns],
        "text_bytes": found.get("bytes"),
        "text_characters": {f"p{p}": int(found[f"p{p}"] or 0) for p in PERCENTILES if f"p{p}" in found},
        "row_groups": _summary(groups),
    }


def _type(kind: pl.DataType | DataTypeClass) -> str:
    """Return a short name: ``list[struct{rule, value}]``."""
    if isinstance(kind, pl.List | pl.Array):
        return f"list[{_type(kind.inner)}]"
    return f"struct{{{', '.join(f.name for f in kind.fields)}}}" if isinstance(kind, pl.Struct) else str(kind)


def _row_groups(files: list[UPath]) -> list[tuple[int, int]]:
    groups = []
    for path in files:
        with path.open("rb") as file:
            metadata = pq.read_metadata(file)
        parts = map(metadata.row_group, range(metadata.num_row_groups))
        groups += [(part.num_rows, part.total_byte_size) for part in parts]
    return groups


def _summary(groups: list[tuple[int, int]]) -> dict:
    """Return the number of row groups, and the smallest and largest in rows and in uncompressed bytes."""
    if not groups:
        return {"count": 0}
    rows, sizes = zip(*groups, strict=True)
    return {"count": len(groups), "rows": [min(rows), max(rows)], "bytes": [min(sizes), max(sizes)]}


def sample(table: Table, rows: int, columns: list[str]) -> list[dict]:
    """Return full rows, the same in each call: the rows with the smallest hashes of ids, in the table's order."""
    names = table.rows.collect_schema().names()
    row = "\0" * (1 + max(map(len, names), default=0))  # longer than the name of any column
    key = pl.col(ID if ID in names else row)
    hashed = key.cast(pl.String).fill_null("").map_batches(_hash, return_dtype=pl.UInt64, is_elementwise=True)
    numbered = table.rows.with_row_index(row)
    with readable(table.path):
        smallest = numbered.select(row, hash=hashed).bottom_k(rows, by=["hash", row])
        chosen = smallest.collect(engine="streaming")[row].to_list()
        found = numbered.filter(pl.col(row).is_in(chosen)).select(by_name(*columns))
        return found.collect(engine="streaming").to_dicts()


def _hash(ids: pl.Series) -> pl.Series:
    return pl.Series(
        [int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest()) for id in ids], dtype=pl.UInt64
    )


def document(table: Table, id: str, columns: list[str]) -> dict:
    """Return the full row with an id. Raises WorkError if there is none."""
    only(table, [ID], "--id")
    with readable(table.path):
        found = table.rows.filter(pl.col(ID).cast(pl.String) == id).head(1).select(by_name(*columns))
        rows = found.collect(engine="streaming").to_dicts()
    if not rows:
        raise WorkError(f"{table.path} has no row with id {id!r}")
    return rows[0]
