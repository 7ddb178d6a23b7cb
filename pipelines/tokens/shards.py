"""Token shards for readers: checked when opened, mapped and not read.

Opening a shard reads the ends of its documents whole (8 bytes per document, where its ids take about 2,000): they cut
the ids, so each must lie in the payload. An id is checked where it is read; ``check`` reads all, with checksums.
"""

from bisect import bisect_right
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import checksum
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest
from gristmill.pipelines.storage.shards import read_shard
from gristmill.pipelines.tokens.encode import LEARNED
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shuffle import BYTES, ENDS, NAMES, PAYLOAD


class TokenizerFile(Settings):
    """The copy of the tokenizer that ids were made with; None for imported ids."""

    file: str | None = Field(pattern=r"^[^/\\]+$")
    sha256: str | None


class TokenFolder(Settings):
    """Settings in the manifest of token shards, without those of the tokenizer and the mixture."""

    model_config = ConfigDict(extra="ignore")

    dtype: Literal["<u2", "<u4"]
    vocab_size: int = Field(ge=1, le=1 << 32)
    bos: int | None = Field(ge=0, lt=1 << 32)
    eos: int | None = Field(ge=0, lt=1 << 32)
    tokenizer: TokenizerFile
    add_special: Literal["none", "prepend", "append", "both"] | None = None  # None: imported ids


class TokenLocation(NamedTuple):
    """Origin of a token."""

    id: str  # of the document
    source: str
    document: int  # number in the shard
    first: int  # position of the document in the shard: first <= position < stop
    stop: int


class TokenShard:
    """Shard of tokens: ``ids``, ``ends`` of its documents in ids, ``bytes`` of their texts."""

    ids: np.ndarray  # uint16 or uint32 [tokens], mapped
    ends: np.ndarray  # int64 [documents], never falling: document d is ids[ends[d - 1]:ends[d]]
    bytes: np.ndarray  # uint32 [documents]: of UTF-8 text
    learned: np.ndarray | None  # uint8: a bit per id, the lowest of a byte first; None: a model learns all

    def __init__(self, folder: UPath, name: str, dtype: str, vocab_size: int, masked: bool = False):
        """Open a shard; ``masked`` says that it has bits of what a model learns.

        Raises WorkError if the ends of its documents are not ends in its ids, or if there is another number of bits.
        """
        self.folder, self.name, self.vocab_size = folder, name, vocab_size
        self.ids, self.bytes = self._map(PAYLOAD, np.dtype(dtype)), self._map(BYTES, np.dtype("<u4"))
        self.ends = self._map(ENDS, np.dtype("<u8")).view(np.int64)
        self.learned = self._map(LEARNED, np.dtype(np.uint8)) if masked else None
        if self.learned is not None and self.learned.size != -(-self.ids.size // 8):
            raise self._damaged(LEARNED, f"has {self.learned.size:,} bytes for {self.ids.size:,} ids")
        if self.bytes.size != self.ends.size:
            raise self._damaged(ENDS, f"holds {self.ends.size:,} documents, {name}{BYTES} {self.bytes.size:,}")
        starts = np.concatenate(([0], self.ends))[: self.ends.size]
        if (fell := np.flatnonzero(self.ends < starts)).size:
            document = int(fell[0])
            raise self._damaged(ENDS, f"ends document {document:,} at {self.ends[document]:,}, before its start")
        last = int(self.ends[-1]) if self.ends.size else 0
        if last != self.ids.size:
            raise self._damaged(ENDS, f"ends at id {last:,}, but {name}{PAYLOAD} holds {self.ids.size:,}")

    @cached_property
    def documents(self) -> pa.Table:
        """The ids and sources of documents."""
        table = read_shard(self.folder / f"{self.name}.parquet")
        if table.schema != NAMES or table.num_rows != self.ends.size:
            found = f"holds {table.num_rows:,} rows of {', '.join(table.schema.names)}"
            raise self._damaged(".parquet", f"{found}, expected {self.ends.size:,} of {', '.join(NAMES.names)}")
        return table

    def read(self, first: int, stop: int) -> np.ndarray:
        """Return the ids from ``first`` to ``stop``. Raises WorkError if one is not in the vocabulary."""
        ids = self.ids[first:stop]
        if (largest := int(ids.max(initial=0))) >= self.vocab_size:
            raise self._damaged(PAYLOAD, f"holds id {largest}, outside the vocabulary of {self.vocab_size:,}")
        return ids

    def trace(self, position: int) -> TokenLocation:
        """Return the document of the token at ``position``. Raises WorkError beyond the shard."""
        if not 0 <= position < self.ids.size:
            raise WorkError(f"{self.name} has no position {position:,}; expected 0 to {self.ids.size - 1:,}")
        document = bisect_right(self.ends, position)
        row = self.documents.slice(document, 1).to_pylist()[0]
        first = int(self.ends[document - 1]) if document else 0
        return TokenLocation(row[ID], row[SOURCE], document, first, int(self.ends[document]))

    def check(self, files: dict[str, dict]) -> None:
        """Check the checksums of the files and the largest id. Raises WorkError."""
        for name, file in files.items():
            if checksum(self.folder / name) != file["sha256"]:
                raise WorkError(
                    f"{self.folder / name} is damaged: its checksum differs from the manifest; make it again"
                )
        self.read(0, self.ids.size)

    def _map(self, suffix: str, dtype: np.dtype) -> np.ndarray:
        path = self.folder / f"{self.name}{suffix}"
        if (size := path.stat().st_size) % dtype.itemsize:
            raise self._damaged(suffix, f"has {size:,} bytes, no multiple of {dtype.itemsize}")
        return np.memmap(str(path), dtype, "r") if size else np.empty(0, dtype)

    def _damaged(self, suffix: str, found: str) -> WorkError:
        return WorkError(f"{self.folder / self.name}{suffix} is damaged: it {found}; make the shard again")


class TokenShards:
    """Finished folder of token shards. Raises WorkError if it is not one, or a file is missing or cut short."""

    def __init__(self, folder: UPath, tokenizer: str | None = None):
        """Open a folder; ``tokenizer`` is the SHA-256 of the file that the shards must have been made with."""
        manifest = Manifest.read(folder)
        if manifest is None or "vocab_size" not in manifest.settings:
            raise WorkError(f"{folder} holds no token shards; `gristmill tokenize CORPUS --output {folder}` makes them")
        read_settings(TokenFolder, manifest.settings, f"{folder / MANIFEST}, settings")
        self.folder, self.about, self.manifest = folder, manifest.settings, manifest
        for name, file in manifest.files.items():
            size = (folder / name).stat().st_size if (folder / name).exists() else None
            if size != file["bytes"]:
                found = "is missing" if size is None else f"has {size:,} bytes"
                raise WorkError(f"{folder / name} {found}, expected {file['bytes']:,}; make the shards again")
        made_with = self.about["tokenizer"]["sha256"]
        if tokenizer and tokenizer != made_with:
            raise WorkError(f"{folder} was made with another tokenizer ({made_with[:12]}…, not {tokenizer[:12]}…)")

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        tokens, documents = self.manifest.counts["tokens"], self.manifest.counts["documents"]
        return f"TokenShards({str(self.folder)!r}): {tokens:,} tokens of {documents:,} documents"

    @property
    def vocab_size(self) -> int:
        return self.about["vocab_size"]

    @property
    def tokenizer(self) -> UPath:
        """The copy of the tokenizer's file."""
        return self.folder / self.about["tokenizer"]["file"]

    def names(self, split: str | None = None) -> list[str]:
        """Return the names of the shards of a split, or of all."""
        payloads = sorted(name.removesuffix(PAYLOAD) for name in self.manifest.files if name.endswith(PAYLOAD))
        return [name for name in payloads if split is None or name.startswith(f"{split}-")]

    def shard(self, name: str) -> TokenShard:
        if name not in self.names():
            raise WorkError(f"{self.folder} has no shard {name!r}; it has {', '.join(self.names())}")
        masked = f"{name}{LEARNED}" in self.manifest.files
        return TokenShard(self.folder, name, self.about["dtype"], self.vocab_size, masked)

    def split(self, split: str = TRAIN) -> list[TokenShard]:
        return [self.shard(name) for name in self.names(split)]

    def check(self) -> None:
        """Check every shard against the manifest. Raises WorkError for the first that does not match."""
        for name in self.names():
            self.shard(name).check(self.manifest.parts[name].files)
