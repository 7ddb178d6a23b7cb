"""PII filter: replaces personal data in text, and drops documents with too much of it."""

import hashlib
from functools import cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Rewriter, Rule
from gristmill.filters.pii.detect import ON_REQUEST, TYPES, Match, detect
from gristmill.filters.pii.detectors.network import PRIVATE_IP
from gristmill.filters.pii.edits import Edit, apply_edits, merge_edits
from gristmill.filters.pii.replacements import KEYED, ReplacementMethod, replacement
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import COLUMN_SPAN, ID, SOURCE, TEXT
from gristmill.pipelines.steps.spans import spans_table
from gristmill.pipelines.storage.files import to_path

KB = 1000  # bytes
MIN_KEY, MAX_KEY = 16, 64  # bytes
MAX_ROUNDS = 3  # from the next round on, matches become tags, which are never detected

Type = Literal[*TYPES, *ON_REQUEST]  # type: ignore[valid-type]


class PiiFilter(Rewriter):
    """A rewriter that replaces personal data by type, then drops documents that contained too much of it.

    A replacement can create a new match: two numbers become the e-mail address "a@b.org", or a word for phone moves
    next to a number. Detection therefore repeats until it finds nothing, so that redacting twice is redacting once.
    """

    NAME: ClassVar[str] = "pii"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = (
        "types",
        "address_scope",
        "phone_regions",
        "replacement",
        "replacements",
        "key_file",
        "columns",
    )

    # Without person and street_address, whose rules miss most. ["+person", "-phone"] changes the default.
    types: list[Type] = [*TYPES]
    # Addresses that are not public (10.0.0.1, multicast) count after a word such as "login from" or "client"; with all,
    # everywhere. Loopback and documentation never count.
    address_scope: Literal["public", "all"] = "public"
    phone_regions: list[str] = []  # countries whose national numbers count, with those of the language
    replacement: ReplacementMethod = "tag"
    replacements: dict[Type, ReplacementMethod] = {}  # by type: { phone = "mask" }
    key_file: str | None = None  # 16 to 64 secret bytes for hash and surrogate; never copied to the work folder
    columns: list[str] = []  # carried columns of strings that are rewritten too: ["title", "url"]
    max_spans_per_kb: float | None = Field(10.0, gt=0, le=KB)  # a document shorter than 1 kB counts as 1 kB

    @field_validator("types", mode="before")
    @classmethod
    def _change_default(cls, types):
        if not isinstance(types, list) or not any(str(type).startswith(("+", "-")) for type in types):
            return types
        if not all(str(type).startswith(("+", "-")) for type in types):
            raise ValueError(f"found {types}; expected a list of types, or changes of the default such as '+person'")
        added, removed = ([str(type)[1:] for type in types if str(type)[0] == sign] for sign in "+-")
        for type in (*added, *removed):
            if type not in (*TYPES, *ON_REQUEST):
                raise ValueError(f"{type!r} is no type; expected one of {', '.join((*TYPES, *ON_REQUEST))}")
        return [type for type in dict.fromkeys((*TYPES, *added)) if type not in removed]

    @field_validator("columns")
    @classmethod
    def _are_carried(cls, columns):
        for name in columns:
            if name in (ID, TEXT, SOURCE):
                raise ValueError(f"{name!r} is no carried column; the text is always searched, id and source never")
        return columns

    @field_validator("phone_regions")
    @classmethod
    def _regions_exist(cls, regions):
        import phonenumbers

        for region in regions:
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(f"{region!r} is no country; expected ISO 3166 codes such as 'US'")
        return regions

    @model_validator(mode="after")
    def _key_exists(self):
        keyed = sorted({self.replacement, *self.replacements.values()} & {*KEYED})
        if keyed and self.key_file is None:
            raise ValueError(
                f"{keyed[0]} needs key_file, or phone numbers can be recovered by trying all; "
                "`head -c 32 /dev/urandom > pii.key` makes one"
            )
        if self.key_file is not None:
            try:
                read_key(self.key_file)
            except InputError as error:
                raise ValueError(str(error)) from None
        return self

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on, with a fingerprint of the key."""
        key = hashlib.blake2b(b"fingerprint", key=self._key(), digest_size=16).hexdigest()
        return {**super().measured_settings(), "key": key if self.key_file else None}

    def rules(self) -> dict[str, Rule]:
        return {"spans_per_kb_too_high": Rule("spans_per_kb", ">", self.max_spans_per_kb)}

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        edits, private = self.edits(batch.text, batch.language)
        size = np.diff(batch.text.offsets)
        spans = np.zeros(size.size, np.int64)
        spans[list(edits)] = [len(row) for row in edits.values()]
        measures = {"spans": spans, "spans_per_kb": spans * KB / size.clip(min=KB), "private_addresses": private}
        return _table(edits), pl.DataFrame(measures)

    @property
    def other_columns(self) -> list[str]:
        return self.columns

    def rewrite_columns(self, batch: Batch) -> pa.Table:
        """Return the spans with personal data in other columns than the text, ordered by column, row and offset."""
        found = [self._column_spans(name, batch) for name in sorted(batch.columns) if name in self.columns]
        return pa.concat_tables([COLUMN_SPAN.empty_table(), *found])

    def _column_spans(self, name: str, batch: Batch) -> pa.Table:
        spans = _table(self.edits(batch.columns[name], batch.language)[0])
        return spans.add_column(0, COLUMN_SPAN.field("column"), pa.repeat(pa.scalar(name), spans.num_rows))

    def detect(self, text: Ragged, language: np.ndarray | None = None) -> list[Match]:
        """Return the matches of one pass over the documents: personal data, and addresses that the scope leaves."""
        types = [*self.types, *([PRIVATE_IP] if "ip" in self.types else [])]
        return detect(text, types, language, self.address_scope == "all", tuple(self.phone_regions))

    def edits(self, text: Ragged, language: np.ndarray | None = None) -> tuple[dict[int, list[Edit]], np.ndarray]:
        """Return the edits by row, of documents with personal data, and the number of addresses left in each row."""
        rows, rounds, private = np.arange(text.rows), 0, np.zeros(text.rows, np.int64)
        edits: dict[int, list[Edit]] = {}
        while rows.size:
            found: dict[int, list[Edit]] = {}
            rounds += 1
            here = None if language is None else language[rows]
            for row, start, end, type in self.detect(text, here):
                if type == PRIVATE_IP:
                    private[row] += rounds == 1
                    continue
                low, method = text.offsets[row], self.replacements.get(type, self.replacement)
                value = text.data[start:end].tobytes().decode("utf-8", "replace")
                new = replacement(method if rounds <= MAX_ROUNDS else "tag", type, value, self._key())
                found.setdefault(row, []).append(Edit(int(start - low), int(end - low), type, new.encode()))
            for row, later in found.items():
                edits[int(rows[row])] = merge_edits(edits.get(int(rows[row]), []), later)
            text = Ragged.from_strings([apply_edits(later, text.row(row)) for row, later in found.items()])
            rows = rows[list(found)]
        return edits, private

    def _key(self) -> bytes:
        return b"" if self.key_file is None else read_key(self.key_file)


def _table(edits: dict[int, list[Edit]]) -> pa.Table:
    """Return edits by row as spans."""
    flat = [(row, edit) for row in sorted(edits) for edit in edits[row]]
    return spans_table(
        [row for row, _ in flat],
        [edit.start for _, edit in flat],
        [edit.end - edit.start for _, edit in flat],
        [edit.type for _, edit in flat],
        [edit.text.decode() for _, edit in flat],
    )


@cache
def read_key(path: str) -> bytes:
    """Read a key file. Raises InputError if it is missing, too short or too long."""
    try:
        key = to_path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the key file {path}: {error.strerror or error}") from None
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise InputError(f"the key file {path} holds {len(key)} bytes; expected {MIN_KEY} to {MAX_KEY}")
    return key
