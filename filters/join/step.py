"""Join as a filter: columns of Parquet files that others publish for the documents, by id or by hash of the text."""

import hashlib
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, PrivateAttr, field_validator, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.join.table import JoinedColumns, look_up, write_table
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import File, InputSettings, find_files
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import OFF
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.manifest import require_finished

MATCHED = "matched"
Thresholds = dict[str, float | None]


class Join(Filter):
    """Filter on columns that are joined to the documents: scores of FineWeb-Edu, Essential-Web, propella and others.

    A document without a row, or with a null or NaN, has no value, and no minimum or maximum removes it.
    """

    NAME: ClassVar[str] = "join"
    MEASURED: ClassVar[tuple[str, ...]] = ("join", "on", "key", "columns")

    join: list[str] = Field(min_length=1)  # Parquet files, folders of them, patterns, fsspec URLs
    on: Literal["id", "text_sha256"] = "id"  # of a document: its id, or the SHA-256 of its text, in hexadecimal
    key: str | None = None  # column with the keys; None: as ``on``
    columns: list[str] = Field(min_length=1)  # with numbers or text; they become measures
    min: Thresholds = {}  # column -> smallest value of a kept document
    max: Thresholds = {}
    drop_missing: bool = False  # remove documents without a row

    _table: UPath | None = PrivateAttr(None)

    @field_validator("join", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("min", "max", mode="before")
    @classmethod
    def _off_is_no_threshold(cls, value: Any) -> Any:
        off = isinstance(value, dict) and OFF in value.values()
        return {key: None if each == OFF else each for key, each in value.items()} if off else value

    @model_validator(mode="after")
    def _thresholds_are_of_columns(self):
        if self.profiles:
            raise ValueError("join has no thresholds by language profile")
        if MATCHED in self.columns:
            raise ValueError(f"the measure {MATCHED!r} is whether a document has a row; rename the column")
        for name in (*self.min, *self.max):
            if name not in self.columns:
                raise ValueError(f"there is a threshold for {name!r}, which columns lacks: {', '.join(self.columns)}")
        for name, least in self.min.items():
            most = self.max.get(name)
            if least is not None and most is not None and least > most:
                raise ValueError(
                    f"min.{name} is {least}, above max.{name} {most}; a minimum must not exceed its maximum"
                )
        return self

    def rules(self) -> dict[str, Rule]:
        """Return a rule for each minimum and maximum, and one for documents without a row."""
        low = {f"{name}_too_low": Rule(name, "<", least) for name, least in self.min.items()}
        high = {f"{name}_too_high": Rule(name, ">", most) for name, most in self.max.items()}
        return {"missing": Rule(MATCHED, "<", 1.0 if self.drop_missing else None), **low, **high}

    def files(self, checksums: bool = True) -> list[File]:
        """Return the joined files, with their checksums. Raises InputError if there are none."""
        return find_files(InputSettings(paths=self.join, format="parquet", verify=checksums))

    def with_table(self, folder: UPath) -> Self:
        """Return the step with the folder of its table, which `index_joined` wrote."""
        copy = self.model_copy()
        copy._table = folder
        return copy

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return ``matched``, 1 for a document with a row, and the columns; null where there is no value."""
        if self._table is None:
            raise RecipeError("join reads a table that only `gristmill clean` makes; leave the step out here")
        if self.on == "id":
            assert batch.ids is not None, "documents of a run have ids"
            keys = batch.ids
        else:
            keys = Ragged.from_strings([hashlib.sha256(text).hexdigest() for text in _rows(batch.text)])
        names = sorted(require_finished(self._table, "run again").files)
        table, matched = look_up(self._table, names, keys)
        return pl.DataFrame(table).with_columns(pl.Series(MATCHED, matched.astype("u1")))


def _rows(text: Ragged):
    for begin, end in zip(text.offsets[:-1].tolist(), text.offsets[1:].tolist(), strict=True):
        yield text.data[begin:end]


def index_joined(step: Join, files: list[File], outputs: tuple[Output, ...]) -> list[Written]:
    """Write the table of a join."""
    (output,) = outputs
    columns = JoinedColumns(step.key or step.on, step.columns, [*step.min, *step.max])
    names, rows = write_table(files, columns, output.folder)
    return [Written(names, {"rows": rows})]
