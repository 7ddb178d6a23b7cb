"""Sizes and times of the input files of a finished ingestion, by which the next run knows that none has changed.

They lie in ``WORK/inputs.json`` and in no manifest: two copies of the same files have equal manifests, whatever their
times. A file with another time is read again; if it holds the same bytes, the shards get the same checksums, and no
later step is repeated. A checksum of the input in its place would cost a second read of each file, and a second
download.
"""

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.inputs.inputs import File
from gristmill.pipelines.storage.files import remove_temporary_files
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

INPUTS = "inputs.json"

Versions = dict[str, list]  # name of a file -> size, and time, ETag or checksum


def versions_of(files: list[File]) -> Versions:
    """Return the versions of files as they are now."""
    return {file.name: [file.size, file.sha256 or file.version] for file in files}


def changed_bytes(files: list[File], known: Versions) -> list[str]:
    """Return the names of files whose checksum is another than in ``known``, if `input.verify` asks for checksums."""
    summed = [(file, known[file.name][1]) for file in files if file.sha256 and file.name in known]
    return [file.name for file, before in summed if len(before) == len(file.sha256) and before != file.sha256]


def read_versions(work: UPath) -> Versions:
    """Return the versions that were read last; {} if they are unknown, so that all files are read again."""
    try:
        return read_sealed(work / INPUTS, "")["files"]
    except (FileNotFoundError, NotADirectoryError, WorkError):
        return {}


def write_versions(work: UPath, versions: Versions) -> None:
    """Record the versions of the files that the shards of ``WORK/documents`` were made of."""
    remove_temporary_files(work.iterdir())
    write_sealed(work / INPUTS, {"files": versions})
