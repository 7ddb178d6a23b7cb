"""Tables of a run: lazy, and handed to Polars, Arrow, pandas or datasets when asked."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from gristmill.flows.runs.tables import collect
from gristmill.pipelines.errors import GristmillError

if TYPE_CHECKING:
    import datasets
    import pandas


class Table:
    """Table of a finished run. Nothing is read before it is needed; its shards are Parquet files.

    >>> table = gm.open_run("work").clean
    >>> table
    Table('work/clean'): 2 rows of id, text, source
    >>> table.scan().select(pl.col("text").str.len_chars().sum()).collect().item()
    141
    """

    def __init__(self, name: str, rows: pl.LazyFrame):
        self.name, self._rows = name, rows

    def scan(self) -> pl.LazyFrame:
        """Return the table as a lazy frame of Polars: queries read the columns and rows that they need.

        >>> gm.open_run("work").clean.scan().select(pl.len()).collect().item()
        2
        """
        return self._rows

    def to_polars(self) -> pl.DataFrame:
        """Read the table into a data frame of Polars.

        >>> gm.open_run("work").removed.to_polars()["reason"].to_list()
        ['gopher.words_too_low']
        """
        return collect(self._rows, self.name)

    def to_arrow(self) -> pa.Table:
        """Read the table into Arrow.

        >>> gm.open_run("work").clean.to_arrow().num_rows
        2
        """
        return self.to_polars().to_arrow()

    def to_pandas(self) -> "pandas.DataFrame":
        """Read the table into a data frame of pandas. Raises GristmillError if pandas is not installed.

        >>> list(gm.open_run("work").clean.to_pandas().columns)
        ['id', 'text', 'source']
        """
        try:
            import pandas  # noqa: F401, Polars does not name a missing library
        except ModuleNotFoundError:
            raise GristmillError("to_pandas needs pandas: pip install pandas") from None
        return self.to_polars().to_pandas()

    def to_dataset(self) -> "datasets.Dataset":
        """Read the table into memory as a dataset of Hugging Face.

        A table that is larger than memory is mapped by
        ``datasets.load_dataset("parquet", data_files="work/clean/**/*.parquet")``.

        >>> gm.open_run("work").clean.to_dataset().num_rows
        2
        """
        import datasets

        return datasets.Dataset(datasets.table.InMemoryTable(self.to_arrow()))

    def head(self, rows: int = 5) -> pl.DataFrame:
        """Read the first rows.

        >>> gm.open_run("work").clean.head(1)["id"].to_list()
        ['long']
        """
        return collect(self._rows.head(rows), self.name)

    @property
    def columns(self) -> list[str]:
        """Names of the columns.

        >>> gm.open_run("work").clean.columns
        ['id', 'text', 'source']
        """
        return self._rows.collect_schema().names()

    def __len__(self) -> int:
        return collect(self._rows.select(pl.len()), self.name).item()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dictionary, batch by batch.

        >>> [row["id"] for row in gm.open_run("work").clean]
        ['long', 'other']
        """
        for batch in self._rows.collect_batches():
            yield from batch.iter_rows(named=True)

    def __repr__(self) -> str:
        return f"Table({self.name!r}): {len(self):,} rows of {', '.join(self.columns)}"

    def _repr_html_(self) -> str:
        from gristmill.flows.report.notebook import table_html

        return table_html(self.name, len(self), self.head())
