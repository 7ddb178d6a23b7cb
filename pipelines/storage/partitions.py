"""Folders of documents by the value of a column, in the style of Hive: ``language=de/part-00000.parquet``.

Polars, pyarrow, DuckDB and Spark read the value from such a name. The column stays in the files all the same: a file
says everything about its documents, and `datasets` does not read names of folders. It has Arrow's type ``string``, the
type that pyarrow gives to values of folders.

A name is a function of the value. Bytes other than ASCII letters, digits, "_", ".", "-" and "~" are percent-encoded.
Null is Hive's ``__HIVE_DEFAULT_PARTITION__``. A value of more than LONGEST characters is cut and ends in its digest.
"""

import hashlib
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import RecipeError, shown

NULL = "__HIVE_DEFAULT_PARTITION__"
LONGEST = 180  # characters of an encoded value; file systems allow 255 bytes in a name
DIGEST = 16  # hexadecimal digits
MOST_FOLDERS = 1_000  # for the documents of one shard


def partition_name(column: str, value: str | None) -> str:
    """Return the name of the folder for a value.

    >>> partition_name("language", "de"), partition_name("source", "a/b c"), partition_name("source", "")
    ('language=de', 'source=a%2Fb%20c', 'source=')
    """
    return f"{quote(column, safe='')}={NULL if value is None else _short(value)}"


def _short(value: str) -> str:
    name = quote(value, safe="")
    if len(name) <= LONGEST:
        return name
    cut = name[: LONGEST - DIGEST - 1]
    cut = cut[: cut.rindex("%")] if "%" in cut[-2:] else cut  # not within an encoded byte
    return f"{cut}~{hashlib.sha256(value.encode()).hexdigest()[:DIGEST]}"


def split_table(table: pa.Table, column: str) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of each folder in their order, by ascending name of the folder; nothing for an empty table.

    Raises RecipeError for more than MOST_FOLDERS.
    """
    place = table.schema.get_field_index(column)
    values = table[column].cast(pa.string()).combine_chunks()
    table = table.set_column(place, pa.field(column, pa.string()), values)
    coded = values.dictionary_encode(null_encoding="encode")
    names = np.array([partition_name(column, value) for value in coded.dictionary.to_pylist()], object)
    folders, numbers = np.unique(names, return_inverse=True)
    if len(folders) > MOST_FOLDERS:
        found = f"{shown(column)} has {len(folders):,} values in one shard"
        raise RecipeError(f"[output] split_by: {found}; expected at most {MOST_FOLDERS:,}: choose another column")
    rows = numbers[coded.indices.to_numpy()] if len(values) else np.empty(0, np.int64)
    for number, folder in enumerate(folders):
        yield folder, table.take(pa.array(np.flatnonzero(rows == number)))


def is_partition(path: UPath) -> bool:
    """True if the folder belongs to the folder around it: it has no manifest of its own."""
    return "=" in path.name and path.is_dir() and not path.is_symlink()


def files_below(folder: UPath) -> list[UPath]:
    """Return the files of a folder and of its partitions, in no order. Other folders in it are of other steps."""
    paths = list(folder.iterdir()) if folder.is_dir() else []
    inside = [path for partition in paths if is_partition(partition) for path in partition.iterdir()]
    return [path for path in [*paths, *inside] if path.is_file()]
