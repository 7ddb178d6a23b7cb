"""Sealed JSON: files that begin with a digest of the rest, so that an edit, a cut or a flipped bit is found.

Manifests, and the recipe and the summary of a run, are sealed. The digest covers bytes, not values: no second parser
has to agree on keys, numbers or spaces.
"""

import hashlib

import orjson
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write

HEAD = b'{\n  "digest": "%s",'


def write_sealed(path: UPath, body: dict, option: int = 0) -> None:
    """Write a dict with at least one key atomically, with its digest; ``option`` is orjson's."""
    rest = orjson.dumps(body, option=orjson.OPT_INDENT_2 | option)[1:]
    with atomic_write(path) as file:
        file.write(_head(rest) + rest)


def read_sealed(path: UPath, remedy: str) -> dict:
    """Read a dict that `write_sealed` wrote. Raises WorkError with the remedy if it was damaged or edited."""
    data, size = path.read_bytes(), len(_head(b""))
    if data[:size] != _head(data[size:]):
        sealed = data.startswith(HEAD.partition(b"%")[0])
        found = "its digest is not that of its content" if sealed else f"it begins {data[:20]!r}, expected a digest"
        raise WorkError(f"{path} is damaged or was edited: {found}; {remedy}")
    return orjson.loads(b"{" + data[size:])


def _head(rest: bytes) -> bytes:
    return HEAD % hashlib.sha256(rest).hexdigest().encode()
