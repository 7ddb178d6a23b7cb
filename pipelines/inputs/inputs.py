"""Settings of `[input]`, and the files they name."""

import codecs
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple

import fsspec
from pydantic import Field, field_validator, model_validator

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import MANIFEST, fingerprint

log = logging.getLogger(__name__)

Format = Literal["jsonl", "parquet", "csv", "tsv", "text", "html", "warc", "hf"]
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "text": (".txt", ".text", ".md", ".rst"),
    "html": (".html", ".htm", ".xhtml"),
    "warc": (".warc", ".wet", ".arc"),
}
COMPRESSIONS = {".gz": "gz", ".zst": "zst", ".zstd": "zst", ".bz2": "bz2", ".xz": "xz"}

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Character = Annotated[str, Field(pattern=r"^[^\r\n]$")]


class InputSettings(Settings):
    """Settings of `[input]` in a recipe: paths of raw text and how to read it."""

    paths: list[str] = []  # files, folders, globs, fsspec URLs; for format hf, names or folders of datasets
    text: str = "text"  # column of texts
    id: str | None = None  # column of ids; None: "id" if present, else <relative path>:<record number>
    source: str | None = None  # column of sources; None: "source" if present, else see `source_of`
    format: Format | None = None  # None: by file name
    separator: Annotated[str, Field(min_length=1)] | None = None  # splits a text file into documents
    encoding: str = "utf-8"  # of text, CSV, TSV and JSON: a codec of Python, or "auto" to detect it for each file
    delimiter: Character | None = None  # between fields; None: a comma in CSV, a tab in TSV
    quote: Character | Literal[""] | None = None  # around fields; "": none; None: `"` in CSV, none in TSV
    config: str | None = None  # of a Hugging Face dataset
    split: str = "train"  # of a Hugging Face dataset
    streaming: bool = True  # read a Hugging Face dataset while it downloads instead of storing it first
    sample: Fraction = 1.0  # share of documents to keep, selected by a hash of the id
    max_record_bytes: int = Field(64 << 20, gt=0, le=1 << 40)  # longer records are rejected
    max_page_bytes: int = Field(8 << 20, gt=0, le=1 << 30)  # longer HTML pages are rejected
    max_page_seconds: int = Field(30, gt=0, le=3600)  # CPU seconds to extract the main text of a page
    max_reject_fraction: Fraction = 0.1  # of all records; a larger fraction stops the run
    work_unit_bytes: int = Field(64 << 20, gt=0, le=1 << 40)  # size of input that one job reads

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            if name != "auto":
                b"\0\0\0\0".decode(name)  # refuses codecs that are no text encodings, such as rot13
                codecs.getincrementaldecoder(name)
        except (LookupError, ValueError):
            raise ValueError('expected "auto" or an encoding that Python knows, such as "cp1252"') from None
        return name

    @model_validator(mode="after")
    def _differ(self) -> "InputSettings":
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError(f"delimiter and quote are the same character {self.quote!r}; expected two")
        return self


class File(NamedTuple):
    """Input file, or Hugging Face dataset."""

    url: str
    name: str  # path relative to the deepest common folder of all inputs: part of ids, equal on any machine
    format: str
    compression: str | None
    size: int
    version: str  # ETag or modification time


def source_of(name: str) -> str:
    """Return the default source of a file's documents: the top folder of its name, or "input" without a folder.

    So `raw/` containing `raw/wiki/a.jsonl` and `raw/crawl/b.jsonl` has the sources wiki and crawl. Moving, renaming
    or splitting a file within a folder does not change its source.
    """
    return name.split("/")[0] if "/" in name else "input"


def find_files(settings: InputSettings) -> list[File]:
    """Return all files that the settings name, each once, ordered by name.

    Raises InputError for a path that matches nothing, and for a path without any file of a known format.
    """
    if not settings.paths:
        raise InputError("there is no input; set `paths` in [input] of the recipe, or give --input PATH")
    if settings.format == "hf":
        return [_dataset(path) for path in sorted(set(settings.paths))]
    found: dict[str, tuple] = {}
    folders = []
    for path in settings.paths:
        folder, infos = _look(path)
        files = {url: kind for url, info in infos.items() if (kind := _kind(url, info, settings))}
        if not files:
            raise InputError(f"{path} holds no file of a known format ({_known()}); set `format` in [input]")
        _log_ignored(path, infos.keys() - files.keys())
        folders.append(folder.split("/"))
        found |= files
    root = _common(folders)
    files = [File(url, "/".join(url.split("/")[root:]), *kind) for url, kind in found.items()]
    return sorted(files, key=lambda file: (file.name, file.url))


@contextmanager
def open_input(url: str) -> Iterator[BinaryIO]:
    """Open an input file for reading. Raises InputError for errors of the file system, on opening and while reading."""
    try:
        with to_path(url).open("rb") as file:
            yield file
    except OSError as error:
        if not error.errno:  # from a decompressor or Arrow: the data is damaged
            raise
        raise InputError(f"cannot read {url}: {error.strerror}") from error


def _look(path: str) -> tuple[str, dict[str, dict]]:
    """Return the folder that file names are relative to, and {url: info} of all files of a path or pattern."""
    try:
        fs, inner = fsspec.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None

    def url(name):
        return name if "file" in fs.protocol else fs.unstrip_protocol(name)

    infos = {inner: fs.info(inner)} if fs.exists(inner) else fs.glob(inner, detail=True)
    if not infos:
        raise InputError(f"{path}: no such file or folder, and as a pattern it matches nothing")
    files: dict[str, dict] = {}
    for name, info in infos.items():
        below = fs.find(name, detail=True) if info["type"] == "directory" else {name: info}
        files |= {n: i for n, i in below.items() if "/." not in n.removeprefix(name)}  # skip hidden files
    if len(infos) > 1 or inner not in infos:  # a pattern: keep the part before its first wild card
        inner = inner[: min(inner.find(c) for c in "*?[" if c in inner)] + "x"
    elif infos[inner]["type"] == "directory":
        inner += "/x"
    return url(inner).rpartition("/")[0], {url(name): info for name, info in files.items()}


def _kind(url: str, info: dict, settings: InputSettings) -> tuple | None:
    """Return format, compression, size and version of a file; None if its format is unknown."""
    name = url.rpartition("/")[2]
    if name == MANIFEST:
        return None
    stem, dot, suffix = name.rpartition(".")
    compression = COMPRESSIONS.get(dot + suffix.lower())
    plain = (stem if compression else name).lower()
    format = settings.format or next((f for f, suffixes in SUFFIXES.items() if plain.endswith(suffixes)), None)
    version = next((str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), "")
    return (format, compression, info["size"] or 0, version) if format else None


def _common(folders: Iterable[list[str]]) -> int:
    """Return the number of leading parts that all paths share."""
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return sum(1 for _ in shared)


def _dataset(path: str) -> File:
    """Return a dataset of the hub by its name, or one saved in a folder, named after the folder."""
    if not (folder := Path(path)).is_dir():
        return File(path, path, "hf", None, 0, "")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    version = fingerprint([[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime] for f in files])
    return File(path, folder.resolve().name, "hf", None, sum(f.stat().st_size for f in files), version)


def _known() -> str:
    return ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


def _log_ignored(path: str, ignored: Iterable[str]) -> None:
    if ignored := sorted(ignored):
        more = ", …" if len(ignored) > 5 else ""
        log.warning("%s: ignored %d files of no known format: %s%s", path, len(ignored), ", ".join(ignored[:5]), more)
