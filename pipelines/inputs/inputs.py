"""Settings of `[input]` or of each `[[input]]`, and the files they name."""

import codecs
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.inputs.listing import Listing, as_text, look_up, printable
from gristmill.pipelines.schema import Records
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.storage.files import checksum, to_path
from gristmill.pipelines.storage.manifest import Manifest, fingerprint

log = logging.getLogger(__name__)

Format = Literal["jsonl", "parquet", "arrow", "csv", "tsv", "text", "html", "warc", "hf"]
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "jsonl": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather"),
    "csv": (".csv",),
    "tsv": (".tsv",),
    "text": (".txt", ".text", ".md", ".rst"),
    "html": (".html", ".htm", ".xhtml"),
    "warc": (".warc", ".wet", ".arc"),
}
KNOWN = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
OWN = "own"  # format of files that `input.reader` reads
PAGES = ("text", "html", "warc")  # formats without columns
DEFAULT_SPLIT = "train"
HUB = "hf:"  # begins the name of a dataset among paths
HASHING_THREADS = 4
COMPRESSIONS = {".gz": "gz", ".zst": "zst", ".zstd": "zst", ".bz2": "bz2", ".xz": "xz"}

MAX_WINDOW_BYTES = 2 << 30  # the largest window that zstd --long=31 writes

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Character = Annotated[str, Field(pattern=r"^[^\r\n]$")]


class InputSettings(Settings):
    """Settings of `[input]`, or of one `[[input]]`, in a recipe: paths of raw text and how to read it."""

    paths: list[str] = []  # files, folders, globs, fsspec URLs; hf:NAME, or any name if format is hf, for a dataset
    text: str = "text"  # column of texts, or of turns where they are elsewhere than `records` says
    records: Records | None = None  # form of records with roles, such as "messages" (turns.py)
    html: str | None = None  # column of HTML pages, whose main text becomes the text; not carried
    favor: Literal["precision", "recall"] = "precision"  # less text of menus in that of pages, or less left out
    id: str | None = None  # column of ids; None: "id" if present, else <relative path>:<record number>
    source: str | None = None  # name of the source of all documents
    source_column: str | None = None  # column of sources; None: "source" if present, else see `source_of`
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] | None = None  # of all documents, not to be detected
    drop: list[str] = []  # columns that are not carried, by their name in the input or in the documents
    format: Format | None = None  # None: by file name
    reader: str | None = None  # a function of yours, as "my_reader.py:read": path of a file -> dicts (docs/plugins.md)
    separator: Annotated[str, Field(min_length=1)] | None = None  # splits a text file into documents
    encoding: str = "utf-8"  # of text, CSV, TSV and JSON: a codec of Python, or "auto" to detect it for each file
    delimiter: Character | None = None  # between fields; None: a comma in CSV, a tab in TSV
    quote: Character | Literal[""] | None = None  # around fields; "": none; None: `"` in CSV, none in TSV
    config: str | None = None  # of a Hugging Face dataset
    split: str = DEFAULT_SPLIT  # of a Hugging Face dataset
    streaming: bool = True  # read a Hugging Face dataset while it downloads instead of storing it first
    sample: Fraction = 1.0  # share of documents to keep, selected by a hash of the id
    max_record_bytes: int = Field(64 << 20, gt=0, le=1 << 40)  # longer records are rejected
    max_page_bytes: int = Field(8 << 20, gt=0, le=1 << 30)  # longer HTML pages are rejected
    max_window_bytes: int = Field(MAX_WINDOW_BYTES, ge=1 << 10, le=MAX_WINDOW_BYTES)  # memory for a zstd window
    max_page_seconds: int = Field(30, gt=0, le=3600)  # CPU seconds to extract the main text of a page
    # The run stops if more than this fraction of all records, or of the bytes of all files, could not be read.
    max_reject_fraction: Fraction = 0.1
    verify: bool = False  # find changes of files that keep size and time, by checksums: two more reads of all files
    work_unit_bytes: int | None = Field(None, gt=0, le=1 << 40)  # of input that one job reads; None: by its size

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
        if self.reader is not None and self.format is not None:
            raise ValueError(f"reader and format exclude each other, found {self.reader!r} and {self.format!r}")
        if self.reader is not None and any(map(is_dataset, self.paths)):
            raise ValueError(f"reader reads files, and {HUB}NAME among the paths is a dataset; remove one of them")
        if self.source is not None and self.source_column is not None:
            raise ValueError(f"source names the source of all documents, and source_column is {self.source_column!r}")
        if self.html is not None and self.format in PAGES:
            raise ValueError(f"html names a column, and format {self.format!r} has no columns; remove one of them")
        if self.records and (self.html or self.format in PAGES):
            raise ValueError(f"records = {self.records!r} reads columns, and pages have none; remove one of them")
        if named := {*self.drop} & {self.content, self.id, self.source_column}:
            raise ValueError(f"drop: {min(named)!r} is read as text, page, id or source; name a carried column")
        return self

    @property
    def content(self) -> str:
        """Column that holds the text of a document, its page, or its (first) turns."""
        if self.records and self.text == "text":
            return "instruction" if self.records == "alpaca" else self.records
        return self.html or self.text


BLOCK_BYTES = 16 << 20  # of a file, read at a time


class File(NamedTuple):
    """Input file, or Hugging Face dataset."""

    url: str
    name: str  # path relative to the deepest common folder of all inputs: part of ids, equal on any machine
    format: str
    compression: str | None
    size: int
    version: str  # ETag or modification time
    sha256: str = ""  # if `input.verify` asks for it
    block_bytes: int = BLOCK_BYTES  # to read at a time; a block of records takes about seven times as much

    @property
    def identity(self) -> tuple:
        """Values on which the documents of the file depend, equal for any copy of it."""
        return self.name, self.format, self.compression, self.size


class UnreadableFile(InputError):
    """File that exists and may not be read."""


def is_dataset(path: str) -> bool:
    """True if a path is ``hf:NAME``, a dataset of the Hugging Face Hub or in a folder; ``hf://…`` is a file system."""
    return path.startswith(HUB) and not path.startswith(f"{HUB}//")


def source_of(name: str) -> str:
    """Return the default source of a file's documents: the top folder of its name, or "input" without a folder.

    So `raw/` containing `raw/wiki/a.jsonl` and `raw/crawl/b.jsonl` has the sources wiki and crawl. Moving, renaming
    or splitting a file within a folder does not change its source.
    """
    return name.split("/")[0] if "/" in name else "input"


def find_files(settings: InputSettings, work: str | None = None) -> list[File]:
    """Return all files that the settings name, each once, ordered by name; none of those below ``work``.

    Of a finished work folder these are the documents in its ``clean/``. Raises InputError for a path that matches
    nothing, and for a path without any file of a known format.
    """
    return find_inputs([settings], work)[0]


def find_inputs(inputs: Sequence[InputSettings], work: str | None = None) -> list[list[File]]:
    """Return the files of each input, as `find_files`; names begin in the deepest common folder of all inputs.

    Raises InputError, which names the input if there are several, and for a file that two of them name.
    """
    named: dict[str, Named] = {}
    folders: list[list[str]] = []
    for i, settings in enumerate(inputs):
        try:
            mine, below = _list_files(settings, work)
        except InputError as error:
            raise InputError(f"{name_of(i, inputs)}: {error}" if len(inputs) > 1 else str(error)) from None
        folders += below
        for real, each in mine.items():
            if real in named:
                one, two = name_of(named[real].input, inputs), name_of(i, inputs)
                raise InputError(f"{printable(each.url)} is in {one} and in {two}; a file belongs to one: name it once")
            named[real] = each._replace(input=i)
    root = _common(folders)
    found: list[list[File]] = [[] for _ in inputs]
    datasets = {(each.name, each.input) for each in named.values() if each.name}
    often = Counter(name for name, _ in datasets)
    for each in named.values():
        name, settings = each.name or as_text("/".join(each.url.split("/")[root:])), inputs[each.input]
        if often[each.name] > 1:  # by inputs of other configs or splits
            name = "/".join(filter(None, (name, settings.config, settings.split)))
        found[each.input].append(File(each.url, name, each.format, each.compression, each.size, each.version))
    return [_with_checksums(files, settings.verify) for files, settings in zip(found, inputs, strict=True)]


def name_of(number: int, inputs: Sequence[InputSettings]) -> str:
    """Return the name of an input in messages, counted from 0: ``[input]``, or ``[[input]] 2`` if there are several."""
    if len(inputs) == 1:
        return "[input]"
    source = inputs[number].source
    return f"[[input]] {number + 1}" + (f" (source {source!r})" if source else "")


class Named(NamedTuple):
    """File, or dataset, that an input names."""

    url: str
    format: str
    compression: str | None
    size: int
    version: str
    name: str = ""  # of a dataset; a file's follows from the common folder
    input: int = 0


def _list_files(settings: InputSettings, work: str | None) -> tuple[dict[str, Named], list[list[str]]]:
    """Return the files by their path without links, and the folders in which the names of files may begin."""
    if not settings.paths:
        raise InputError("there is no input; set `paths` in [input] of the recipe, or give --input PATH")
    named: dict[str, Named] = {}
    folders = []
    for path in settings.paths:
        if (hub := is_dataset(path)) or settings.format == "hf":
            dataset = _dataset(path[len(HUB) :] if hub else path)
            named[f"{HUB}{dataset.url}/{settings.config or ''}/{settings.split}"] = dataset
            continue
        path = clean_folder(path)
        listing = Listing(path, work)
        files = listing.files
        known = {url: kind for url in files if (kind := _kind(url, settings))}
        if len(known) < len(files):
            unknown = files.keys() - known.keys()
            listing.left_out["ignored {:,} (no known format)"] += unknown
        account = listing.account()
        if not known:
            why = f"{printable(path)} holds no file of a known format ({KNOWN}); set `format` in [input]"
            raise InputError("; ".join([why, *account]))
        for line in account:
            log.warning("%s: %s", printable(path), line)
        folders.append(listing.folder.split("/"))
        for url, kind in known.items():
            real = files[url].real
            if url == real or real not in named or url < named[real].url != real:
                named[real] = Named(url, *kind, files[url].size, files[url].version)
    return named, folders


def _with_checksums(files: list[File], verify: bool) -> list[File]:
    files = sorted(files, key=lambda file: (file.name, file.url))
    return [file._replace(sha256=sha256) for file, sha256 in _checksums(files)] if verify else files


def clean_folder(path: str) -> str:
    """Return the ``clean/`` of a finished work folder, and any other path as it is."""
    try:
        clean = to_path(path) / "clean"
    except WorkError:  # of no known file system: the listing of files says so
        return path
    return str(clean) if Manifest.read(clean) else path


def check_unchanged(file: File) -> None:
    """Raise InputError if a file is not as it was listed. Files of which a store tells nothing pass."""
    if file.format == "hf":
        size, version = _dataset_version(file.url)
        now = file._replace(size=size, version=version)
    else:
        path = to_path(file.url)
        try:
            found = look_up(path.fs, path.path)
        except FileNotFoundError:
            raise InputError(f"{printable(file.url)} was removed while it was read; run again") from None
        now = file._replace(size=found.size, version=found.version)
    if now.size != file.size and (file.size or file.version):
        raise InputError(
            f"{printable(file.url)} changed while it was read: {file.size:,} bytes when listed, {now.size:,} bytes "
            "after reading; run again when it is complete"
        )
    if now.version != file.version and now.version and file.version:
        raise InputError(f"{printable(file.url)} was written to while it was read; run again when it is complete")


def check_checksums(files: list[File]) -> None:
    """Raise InputError if a file has another checksum than when it was listed: a change that keeps size and time."""
    for file, sha256 in _checksums(files):
        if sha256 != file.sha256:
            raise InputError(f"{printable(file.url)} changed while it was read: its checksum is another; run again")


def _checksums(files: list[File]) -> Iterator[tuple[File, str]]:
    """Yield each file with its SHA-256, or with "" for a dataset and a file that may not be read."""

    def read(file: File) -> str:
        try:
            return "" if file.format == "hf" else checksum(to_path(file.url))
        except PermissionError:
            return ""

    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        yield from zip(files, pool.map(read, files), strict=True)


@contextmanager
def open_input(url: str) -> Iterator[BinaryIO]:
    """Open an input file for reading. Raises InputError for errors of the file system, on opening and while reading."""
    try:
        with to_path(url).open("rb") as file:
            yield file
    except PermissionError as error:
        raise UnreadableFile(f"cannot read {printable(url)}: {error.strerror or error}") from error
    except OSError as error:
        if not error.errno:  # from a decompressor or Arrow: the data is damaged
            raise
        raise InputError(f"cannot read {printable(url)}: {error.strerror}") from error


def _kind(url: str, settings: InputSettings) -> tuple[str, str | None] | None:
    """Return format and compression of a file by its name; None if the format is unknown."""
    if settings.reader:
        return OWN, None
    name = url.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    compression = COMPRESSIONS.get(dot + suffix)
    plain = stem if compression else name
    format = settings.format or next((f for f, suffixes in SUFFIXES.items() if plain.endswith(suffixes)), None)
    return (format, compression) if format else None


def _common(folders: Iterable[list[str]]) -> int:
    """Return the number of leading parts that all paths share."""
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return sum(1 for _ in shared)


def _dataset(path: str) -> Named:
    """Return a dataset of the hub by its name, or one saved in a folder, named after the folder."""
    name = Path(path).resolve().name if Path(path).is_dir() else path
    return Named(path, "hf", None, *_dataset_version(path), name)


def _dataset_version(path: str) -> tuple[int, str]:
    """Return size and version of the files of a dataset in a folder; 0 and "" for one on the hub."""
    if not (folder := Path(path)).is_dir():
        return 0, ""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    version = fingerprint([[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime] for f in files])
    return sum(f.stat().st_size for f in files), version
