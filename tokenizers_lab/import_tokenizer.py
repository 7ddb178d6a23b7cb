"""Import a tokenizer of another library: compared with it on a battery of texts, and run by it where ours differs."""

import time
from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, naming
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import checksum, to_path
from gristmill.pipelines.storage.snapshots import snapshot
from gristmill.tokenizers_lab.battery import battery, sample
from gristmill.tokenizers_lab.formats.check import LIBRARIES
from gristmill.tokenizers_lab.formats.detect import CONFIG, find_file, read_file
from gristmill.tokenizers_lab.formats.model import FILE, Model, finish_model, read_model
from gristmill.tokenizers_lab.formats.reading import Reading
from gristmill.tokenizers_lab.originals import Original, open_original
from gristmill.tokenizers_lab.tokenizer import SNAPSHOT_BYTES, Tokenizer

CLOCKED_BYTES = 300_000
DECODED = 500  # texts of the battery to decode
COMPARED = "tokenizers", "sentencepiece", "tiktoken"  # packages whose ids are compared


class Imported(NamedTuple):
    """Imported tokenizer, and the proof of its ids."""

    model: Model
    library: str  # the library that reads the file
    texts: int  # number of texts whose ids are equal there; 0 if they were not compared
    why: str  # why the library encodes, or why ids were not compared; "" if ours does and is compared
    notes: tuple[str, ...]  # settings of the file that are not applied
    mb_per_second: float

    @property
    def backend(self) -> str:
        """The library that encodes, or gristmill."""
        return self.model.algorithm if self.model.algorithm in LIBRARIES else "gristmill"


def load_any(path: UPath, pretokenizer: str | None = None, special: dict[str, int] | None = None) -> Model:
    """Load the model in a folder or a file, as ``open_tokenizer``."""
    file = find_file(path)
    return read_model(file) if file.name == FILE else open_tokenizer(file, pretokenizer, special).model


def open_tokenizer(
    path: str | UPath, pretokenizer: str | None = None, special: dict[str, int] | None = None
) -> Tokenizer:
    """Load the tokenizer in a folder or a file, ours or another library's. Raises InputError if it cannot be read.

    Another library's is compared with it, once for each version of the library and of ours. ``pretokenizer`` and
    ``special`` (text -> id) belong to a .tiktoken file, which names neither.
    """
    file = find_file(to_path(path))
    if file.name == FILE:
        return Tokenizer.load(file)

    def build() -> Tokenizer:
        return Tokenizer(import_file(file, pretokenizer, special).model)

    if file.stat().st_size < SNAPSHOT_BYTES:
        return build()
    files = [checksum(each) for each in (file, file.parent / CONFIG) if each.is_file()]
    return snapshot(Tokenizer, repr((file.name, files, pretokenizer, special, *map(_version, COMPARED))), build)


def _version(package: str) -> str:
    """Return the version of a package, "" if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def import_tokenizer(
    file: str, output: str, pretokenizer: str | None, special: Sequence[str], corpus: Sequence[str] = ()
) -> Imported:
    """Read a tokenizer of another library, compare it on the texts of a corpus too, and write ours."""
    imported = import_file(find_file(to_path(file)), pretokenizer, dict(map(_parse_token, special)), corpus)
    finish_model(imported.model, to_path(output))
    return imported


def import_file(
    file: UPath,
    pretokenizer: str | None = None,
    special: dict[str, int] | None = None,
    corpus: Sequence[str] = (),
) -> Imported:
    """Read a tokenizer of another library. Raises InputError, naming a text, if ids differ and it cannot run there."""
    with naming(file):
        reading = read_file(file, pretokenizer, special or {})
        if reading.why:
            return _clocked(reading, 0, reading.why)
        original = open_original(reading)
        if original is None:
            return _clocked(reading, 0, f"not compared: {reading.library} is not installed")
        texts = [*battery(reading.model), *sample(corpus)]
        modes = (False,) if reading.library == "sentencepiece" else (False, True)  # which recognizes no special tokens
        ours = Tokenizer(reading.model)
        if (text := first_difference(ours, original, texts, modes)) is None:
            notes = (*reading.notes, *_decoded_otherwise(ours, original, texts[:DECODED]))
            return _clocked(reading._replace(notes=notes), len(texts), "")
        if reading.in_library is None:
            raise InputError(f"our ids differ from those of {reading.library}, first for {text[:200]!r}")
        return _clocked(reading._replace(model=reading.in_library()), 0, f"our form gives other ids for {text[:80]!r}")


def first_difference(
    ours: Tokenizer, original: Original, texts: list[str], modes: Sequence[bool] = (False, True)
) -> str | None:
    """Return the first text whose ids differ, without special tokens or with all of them; None if none does."""
    rows, every = Ragged.from_strings(texts), ours.allowed("all")
    for specials in modes:
        ids = ours(rows, every if specials else frozenset())
        bounds = zip(ids.offsets[:-1], ids.offsets[1:], strict=True)
        for text, (a, b), theirs in zip(texts, bounds, original.encode(texts, specials), strict=True):
            if ids.data[a:b].tolist() != theirs:
                return text
    return None


def _decoded_otherwise(ours: Tokenizer, original: Original, texts: list[str]) -> list[str]:
    """Return a note with the shortest text that our ids and the library's decoder give otherwise, if there is one."""
    for text in sorted(texts, key=len):
        ids = ours.encode(text)
        here = ours.decode_ids(ids)
        try:
            there = original.decode(ids)
        except InputError as error:
            return [f"decoder is not applied: {error}"]
        if here != there:
            return [f"decoder is not applied: the ids of {text!r} become {here!r}, in the library {there!r}"]
    return []


def _clocked(reading: Reading, texts: int, why: str) -> Imported:
    encoder, text = Tokenizer(reading.model), Ragged.from_strings(battery(reading.model)[:1500])
    encoder(text)
    begin, size = time.process_time(), 0
    while size < CLOCKED_BYTES:
        encoder(text)
        size += max(text.data.size, 1)
    speed = size / 1e6 / max(time.process_time() - begin, 1e-9)
    return Imported(reading.model, reading.library, texts, why, reading.notes, speed)


def _parse_token(given: str) -> tuple[str, int]:
    token, _, id = given.rpartition("=")
    if not token or not id.isdigit():
        raise RecipeError(f"--special: expected TOKEN=ID, found {given!r}")
    return token, int(id)
