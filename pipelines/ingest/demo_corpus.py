"""Demo corpus: READMEs, licenses, notes and docstrings of the installed Python packages and the standard library.

The text is real and noisy, and the licenses contain many duplicates. Source files are parsed, never imported. The
corpus needs neither network nor clock: the same packages give the same bytes.
"""

import ast
import hashlib
import os
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import zstandard
from upath import UPath

from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.garbage import no_collection
from gristmill.pipelines.storage.files import atomic_write, to_path

SHARD_BYTES = 8 << 20  # of text; several shards, so that several workers can share the work
LONG = 1000  # characters: a docstring of this length is a document; shorter ones of a module are joined
# Least share of docstrings in a source file. Parsing is slow (4 to 9 MB/s); the files above this share hold two thirds
# of all docstrings in a quarter of the source.
DENSE = 0.3
NOTES = (".md", ".rst", ".txt")
LICENSE = re.compile(r"^(licen[cs]e|copying|copyright|notice)", re.IGNORECASE)
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")


class TextFile(NamedTuple):
    """File containing text, with its package and license."""

    path: str  # relative, with forward slashes: the first half of a document's id
    file: Path
    source: str  # "stdlib" or "site-packages"
    package: str
    license: str | None
    kind: str  # "readme", "license", "notes" or "docstring"
    bytes: int  # upper bound of its text


@dataclass
class DemoSummary:
    """Counts of the written corpus."""

    documents: Counter = field(default_factory=Counter)  # by kind
    bytes: Counter = field(default_factory=Counter)  # of text, by kind
    packages: set[str] = field(default_factory=set)
    mails: int = 0  # occurrences of e-mail addresses
    licenses: Counter = field(default_factory=Counter)  # hash of a license's words -> documents
    files: list[str] = field(default_factory=list)

    def add(self, document: dict) -> None:
        text = document["text"]
        self.documents[document["kind"]] += 1
        self.bytes[document["kind"]] += len(text.encode())
        self.packages.add(document["package"])
        self.mails += len(MAIL.findall(text)) if "@" in text else 0
        if document["kind"] == "license":
            self.licenses[_license_words(text)] += 1

    def summary(self) -> dict:
        """Return the counts as a JSON object."""
        kinds = {k: {"documents": n, "bytes": self.bytes[k]} for k, n in sorted(self.documents.items())}
        return {
            "documents": self.documents.total(),
            "bytes": self.bytes.total(),
            "kinds": kinds,
            "packages": len(self.packages),
            "licenses_like_another": sum(n - 1 for n in self.licenses.values()),
            "mail_addresses": self.mails,
            "files": self.files,
        }


@no_collection()
def write_demo(output: str | os.PathLike, max_mb: float = 64) -> DemoSummary:
    """Write at most about ``max_mb`` million bytes of text to ``demo-*.jsonl.zst`` in a folder.

    If the machine has more, the hash of their paths selects the files. Raises WorkError if the folder contains other
    files, and InputError if no text was found.
    """
    folder, written = to_path(output), DemoSummary()
    _clear(folder)
    origins = choose(find_text_files(), int(max_mb * 1e6))
    for number, documents in enumerate(_shards(doc for origin in origins for doc in read_documents(origin))):
        name = f"demo-{number:05}.jsonl.zst"
        with atomic_write(folder / name) as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as compressed:
            for document in documents:
                compressed.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
                written.add(document)
        written.files.append(name)
    if not written.files:
        raise InputError(f"no Python package on this machine has {max_mb} MB of text or less; raise --max-mb")
    return written


def _clear(folder: UPath) -> None:
    """Remove an earlier corpus; raise WorkError if the folder contains other files, or is none."""
    if folder.exists() and not folder.is_dir():
        raise WorkError(f"{folder} is a file; give a folder")
    found = list(folder.iterdir()) if folder.is_dir() else []
    other = [path for path in found if not (path.name.startswith("demo-") and ".jsonl.zst" in path.name)]
    if other:
        raise WorkError(f"{folder} holds {other[0].name}, which is no demo corpus; choose another --output")
    for path in found:
        path.unlink()


def _shards(documents: Iterator[dict]) -> Iterator[list[dict]]:
    shard, filled = [], 0
    for document in documents:
        shard.append(document)
        filled += len(document["text"])
        if filled >= SHARD_BYTES:
            yield shard
            shard, filled = [], 0
    if shard:
        yield shard


def choose(origins: list[TextFile], max_bytes: int) -> list[TextFile]:
    """Select files in order of the hash of their paths up to ``max_bytes``; return them ordered by path."""
    chosen, room = [], max_bytes
    for origin in sorted(origins, key=lambda o: hashlib.sha256(o.path.encode()).digest()):
        if origin.bytes <= room:
            chosen.append(origin)
            room -= origin.bytes
    return sorted(chosen, key=lambda o: o.path)


def find_text_files() -> list[TextFile]:
    """Return every file of the standard library and the installed packages that contains text of a known kind."""
    paths = sysconfig.get_paths()
    packages = distributions(path=sorted({paths["platlib"], paths["purelib"]}))
    files = [
        *_standard_library(Path(paths["stdlib"])),
        *(origin for package in packages for origin in _package(package)),
    ]
    found = (_classified(origin) for origin in {origin.path: origin for origin in files}.values())
    return [origin for origin in found if origin and origin.bytes]


def _standard_library(folder: Path) -> Iterator[TextFile]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - {"site-packages", "dist-packages", "__pycache__"})
        for name in sorted(names):
            file = Path(root, name)
            path = f"python/{file.relative_to(folder).as_posix()}"
            yield TextFile(path, file, "stdlib", "python", "PSF-2.0", "", 0)


def _package(package: Distribution) -> Iterator[TextFile]:
    meta: Any = package.metadata  # an email.message.Message; each access to it or to package.name parses the file again
    name, license = meta["Name"], meta.get("License-Expression") or meta.get("License")
    if not license or len(license) > 80:  # some packages paste the whole text here
        classified = [line for line in meta.get_all("Classifier") or () if line.startswith("License ::")]
        license = classified[0].rpartition(" :: ")[2] if classified else None
    for file in package.files or ():
        if ".." not in file.parts:  # scripts, outside site-packages
            path = file.as_posix()
            yield TextFile(path, Path(file.locate()), "site-packages", name, license, "", 0)


def _classified(origin: TextFile) -> TextFile | None:
    """Return the file with its kind and size of text; None if it has no text or does not exist."""
    name, (*_, folder, _) = origin.file.name, origin.file.parts
    try:
        if name.endswith(".py"):
            source = origin.file.read_bytes()
            docstrings = sum(map(len, source.split(b'"""')[1::2]))
            return origin._replace(kind="docstring", bytes=docstrings) if docstrings > DENSE * len(source) else None
        if folder.endswith(".dist-info") and name == "METADATA":
            kind = "readme"
        elif LICENSE.match(name):
            kind = "license"
        elif name.lower().endswith(NOTES) and not folder.endswith((".dist-info", ".egg-info")):
            kind = "readme" if name.lower().startswith("readme") else "notes"
        else:
            return None
        return origin._replace(kind=kind, bytes=origin.file.stat().st_size)
    except OSError:  # the package lists a file that was removed
        return None


def read_documents(origin: TextFile) -> Iterator[dict]:
    """Yield the documents of one file: its text, or its docstrings."""
    if origin.kind == "docstring":
        texts = _docstrings(origin)
    elif origin.file.name == "METADATA":
        texts = [(origin.path, origin.kind, _description(origin.file))]
    else:
        texts = [(origin.path, origin.kind, origin.file.read_text("utf-8", errors="replace"))]
    about = {"source": origin.source, "package": origin.package, "origin": origin.path, "license": origin.license}
    for id, kind, text in texts:
        if text.strip():
            yield {"id": id, "text": text, "kind": kind, **about}


def _description(file: Path) -> str:
    """Return name, summary and people of a package, then the README of its release."""
    header, _, body = file.read_text("utf-8", errors="replace").partition("\n\n")
    fields = ("Name:", "Summary:", "Author:", "Author-email:", "Maintainer:", "Maintainer-email:", "Home-page:")
    return "\n".join([*(line for line in header.splitlines() if line.startswith(fields)), "", body])


def _docstrings(origin: TextFile) -> Iterator[tuple[str, str, str]]:
    """Yield id, kind and text: each long docstring (``mill/stone:8``, its line), then the module's short ones joined.

    Neither ids nor a column ``path`` end in ".py": docstrings are prose, and documents named like source files are
    judged as code.
    """
    module, short = origin.path.removesuffix(".py"), []
    for node in _parsed(origin.file.read_bytes()):
        text = (ast.get_docstring(node) or "").encode("utf-8", "replace").decode()  # a docstring may contain "\ud800"
        if len(text) >= LONG:
            yield f"{module}:{getattr(node, 'lineno', 0)}", "docstring", text
        elif text:
            short.append(text)
    yield f"{module}:short", "docstrings", "\n\n".join(short)


Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _parsed(source: bytes) -> list[Definition]:
    """Return the module, its classes and functions, in order; [] if this version of Python cannot parse the source."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in strings
            tree = ast.parse(source)
        return [tree, *_definitions(tree)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _definitions(node: ast.AST) -> Iterator[Definition]:
    for inner in getattr(node, "body", ()):
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner
            yield from _definitions(inner)


def _license_words(text: str) -> bytes:
    """Return a hash of a license without its copyright lines, case, spacing and punctuation."""
    lines = [line for line in text.casefold().splitlines() if "copyright" not in line]
    return hashlib.sha256(" ".join(re.findall(r"\w+", " ".join(lines))).encode()).digest()
