"""Columns in the names of folders, in the style of Hive: ``lang=en/part.parquet``."""

from urllib.parse import unquote

import pyarrow as pa

from gristmill.pipelines.inputs.column_types import STRING
from gristmill.pipelines.inputs.work_units import InputSlice

NULL = "__HIVE_DEFAULT_PARTITION__"


def with_folders(table: pa.Table, piece: InputSlice) -> pa.Table:
    """Append the columns that the folders of a file name, as strings. A column of the file itself is kept.

    Folders are those in the file's name, which begins below the deepest common folder of all inputs.
    """
    for name, value in folder_values(piece.file.name).items():
        if name not in table.column_names:
            table = table.append_column(name, pa.repeat(pa.scalar(value, STRING), table.num_rows))
    return table


def folder_values(name: str) -> dict[str, str | None]:
    """Return the values by column in the name of a file.

    >>> folder_values("lang=en/topic=a%20b/year=__HIVE_DEFAULT_PARTITION__/part=1.parquet")
    {'lang': 'en', 'topic': 'a b', 'year': None}
    """
    pairs = [folder.partition("=") for folder in name.split("/")[:-1]]
    found = {unquote(key): unquote(value) for key, sign, value in pairs if key and sign}
    return {key: None if value == NULL else value for key, value in found.items()}
