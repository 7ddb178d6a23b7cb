"""Token shards for readers: checked when opened, mapped and not read."""

from bisect import bisect_right
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.storage.files import checksum
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import read_shard
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shuffle import BYTES, ENDS, PAYLOAD


class TokenLocation(NamedTuple):
    """Origin of a token."""

    id: str  # of the document
    source: str
    document: int  # number in the shard
    first: int  # position of the document in the shard: first <= position < stop
    stop: int


class TokenShard:
    """Shard of tokens: ``ids``, ``ends`` of its documents in ids, ``bytes`` of their texts."""

    def __init__(self, folder: UPath, name: str, dtype: str):
        self.folder, self.name, self.dtype = folder, name, np.dtype(dtype)

    @cached_property
    def ids(self) -> np.ndarray:
        """The ids, uint16 or uint32 [tokens], mapped."""
        return self._map(PAYLOAD, self.dtype)

    @cached_property
    def ends(self) -> np.ndarray:
        """The ends of documents, int64 [documents], ascending: document d is ids[ends[d - 1]:ends[d]]."""
        return self._map(ENDS, np.dtype("<u8")).astype(np.int64)

    @cached_property
    def bytes(self) -> np.ndarray:
        """The bytes of UTF-8 text of each document, uint32 [documents]."""
        return self._map(BYTES, np.dtype("<u4"))

    @cached_property
    def documents(self) -> pa.Table:
        """The ids and sources of documents."""
        return read_shard(self.folder / f"{self.name}.parquet")

    def trace(self, position: int) -> TokenLocation:
        """Return the document of the token at ``position``. Raises WorkError beyond the shard."""
        if not 0 <= position < self.ids.size:
            raise WorkError(f"{self.name} has no position {position:,}; expected 0 to {self.ids.size - 1:,}")
        document = bisect_right(self.ends, position)
        row = self.documents.slice(document, 1).to_pylist()[0]
        first = int(self.ends[document - 1]) if document else 0
        return TokenLocation(row[ID], row[SOURCE], document, first, int(self.ends[document]))

    def check(self, vocab_size: int, files: dict[str, dict]) -> None:
        """Check all data: checksums, the largest id, ends that ascend to the last token. Raises WorkError."""
        for name, file in files.items():
            if checksum(self.folder / name) != file["sha256"]:
                raise WorkError(
                    f"{self.folder / name} is damaged: its checksum differs from the manifest; make it again"
                )
        largest = int(self.ids.max(initial=0))
        if largest >= vocab_size:
            payload = self.folder / f"{self.name}{PAYLOAD}"
            raise WorkError(f"{payload} holds id {largest}, outside the vocabulary of {vocab_size:,}; make it again")
        if self.ends.size and (self.ends[-1] != self.ids.size or (np.diff(self.ends) < 0).any()):
            raise WorkError(f"{self.folder / self.name}{ENDS} does not match its ids; make the shard again")

    def _map(self, suffix: str, dtype: np.dtype) -> np.ndarray:
        path = self.folder / f"{self.name}{suffix}"
        return np.memmap(str(path), dtype, "r") if path.stat().st_size else np.empty(0, dtype)


class TokenShards:
    """Finished folder of token shards. Raises WorkError if it is not one, or a file is missing or cut short."""

    def __init__(self, folder: UPath, tokenizer: str | None = None):
        """Open a folder; ``tokenizer`` is the SHA-256 of the file that the shards must have been made with."""
        manifest = Manifest.read(folder)
        if manifest is None or "vocab_size" not in manifest.settings:
            raise WorkError(f"{folder} holds no token shards; `gristmill tokenize CORPUS --output {folder}` makes them")
        self.folder, self.about, self.manifest = folder, manifest.settings, manifest
        for name, file in manifest.files.items():
            size = (folder / name).stat().st_size if (folder / name).exists() else None
            if size != file["bytes"]:
                found = "is missing" if size is None else f"has {size:,} bytes"
                raise WorkError(f"{folder / name} {found}, expected {file['bytes']:,}; make the shards again")
        made_with = self.about["tokenizer"]["sha256"]
        if tokenizer and tokenizer != made_with:
            raise WorkError(f"{folder} was made with another tokenizer ({made_with[:12]}…, not {tokenizer[:12]}…)")

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
        return TokenShard(self.folder, name, self.about["dtype"])

    def split(self, split: str = TRAIN) -> list[TokenShard]:
        return [self.shard(name) for name in self.names(split)]

    def check(self) -> None:
        """Check every shard against the manifest. Raises WorkError for the first that does not match."""
        for name in self.names():
            self.shard(name).check(self.vocab_size, self.manifest.parts[name].files)
