"""The step that takes personal data out of text, and drops documents that are little else."""

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
from gristmill.filters.pii.edits import Edit, apply, merged
from gristmill.filters.pii.replacements import KEYED, How, replacement
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import spans_table
from gristmill.pipelines.storage.files import to_path

KB = 1000  # bytes
LEAST_KEY, LONGEST_KEY = 16, 64  # bytes
CHOSEN_ROUNDS = 3  # after them what still comes to light becomes a tag, which nothing can come of

Type = Literal[*TYPES, *ON_REQUEST]


class PiiFilter(Rewriter):
    """Replaces personal data, each type in its own way; then drops documents that hold too much of it.

    A replacement may bring to light what it had hidden ("a@b.org" out of two numbers made one), or a word for phone
    comes nearer to a number: text is looked at again until nothing is found, so redacting twice is redacting once.
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
    )

    types: list[Type] = [*TYPES]  # person and street_address cost precision: name them to have them
    address_scope: Literal["public", "all"] = "public"  # all: addresses of private networks too, never loopback
    phone_regions: list[str] = []  # countries whose national numbers count besides those of the document's language
    replacement: How = "tag"
    replacements: dict[Type, How] = {}  # by type, instead: { phone = "mask" }
    key_file: str | None = None  # 16 to 64 bytes that hash and surrogate depend on; they stay out of the work folder

    max_spans_per_kb: float | None = Field(10.0, gt=0)  # a document shorter than a kB counts as one

    @field_validator("phone_regions")
    @classmethod
    def _regions_exist(cls, regions):
        import phonenumbers

        for region in regions:
            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError(f"{region!r} is no country; expected ISO 3166 codes such as 'US'")
        return regions

    @model_validator(mode="after")
    def _key_is_there(self):
        keyed = sorted({self.replacement, *self.replacements.values()} & {*KEYED})
        if keyed and self.key_file is None:
            raise ValueError(
                f"{keyed[0]} needs key_file: who tries all phone numbers finds which one it was made of; "
                "`head -c 32 /dev/urandom > pii.key` makes one"
            )
        if self.key_file is not None:
            try:
                read_key(self.key_file)
            except InputError as error:
                raise ValueError(str(error)) from None
        return self

    def measured_settings(self) -> dict:
        """As for every filter, with a fingerprint of the key: another key makes other text."""
        key = hashlib.blake2b(b"fingerprint", key=self._key(), digest_size=16).hexdigest()
        return {**super().measured_settings(), "key": key if self.key_file else None}

    def rules(self) -> dict[str, Rule]:
        return {"too_many_spans": Rule("spans_per_kb", ">", self.max_spans_per_kb)}

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        edits = self.edits(batch.text, batch.language)
        size = np.diff(batch.text.offsets)
        spans = np.zeros(size.size, np.int64)
        spans[list(edits)] = [len(row) for row in edits.values()]
        flat = [(row, edit) for row in sorted(edits) for edit in edits[row]]
        table = spans_table(
            [row for row, _ in flat],
            [edit.start for _, edit in flat],
            [edit.end - edit.start for _, edit in flat],
            [edit.type for _, edit in flat],
            [edit.text.decode() for _, edit in flat],
        )
        return table, pl.DataFrame({"spans": spans, "spans_per_kb": spans * KB / size.clip(min=KB)})

    def found(self, text: Ragged, language: np.ndarray | None = None) -> list[Match]:
        """What the rules find in documents when they look once."""
        return detect(text, self.types, language, self.address_scope == "all", tuple(self.phone_regions))

    def edits(self, text: Ragged, language: np.ndarray | None = None) -> dict[int, list[Edit]]:
        """Documents -> by row, for those with personal data, what to replace by what."""
        rows, made, rounds = np.arange(text.rows), {}, 0
        while rows.size:
            fresh, rounds = {}, rounds + 1
            here = None if language is None else language[rows]
            for found in self.found(text, here):
                low, how = text.offsets[found.row], self.replacements.get(found.type, self.replacement)
                value = text.data[found.start : found.end].tobytes().decode("utf-8", "replace")
                new = replacement(how if rounds <= CHOSEN_ROUNDS else "tag", found.type, value, self._key())
                edit = Edit(int(found.start - low), int(found.end - low), found.type, new.encode())
                fresh.setdefault(found.row, []).append(edit)
            for row, later in fresh.items():
                made[int(rows[row])] = merged(made.get(int(rows[row]), []), later)
            text = Ragged.from_strings([apply(later, text.row(row)) for row, later in fresh.items()])
            rows = rows[list(fresh)]
        return made

    def _key(self) -> bytes:
        return b"" if self.key_file is None else read_key(self.key_file)


@cache
def read_key(path: str) -> bytes:
    """The bytes of a key file. Raises InputError where it is missing, too short or too long."""
    try:
        key = to_path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the key file {path}: {error.strerror or error}") from None
    if not LEAST_KEY <= len(key) <= LONGEST_KEY:
        raise InputError(f"the key file {path} holds {len(key)} bytes; expected {LEAST_KEY} to {LONGEST_KEY}")
    return key
