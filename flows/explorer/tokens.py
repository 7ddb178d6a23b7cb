"""Tokens of a text, for display."""

from functools import cache
from typing import NamedTuple

from upath import UPath

from gristmill.pipelines.errors import GristmillError, WorkError
from gristmill.pipelines.storage.files import to_path
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer
from gristmill.tokenizers_lab.tokenizer import id_to_bytes

LONGEST = 4  # bytes of a character


class Token(NamedTuple):
    """Text of one token id, or of several that only together form whole characters."""

    text: str
    ids: list[int]

    @property
    def size(self) -> int:
        return len(self.ids)


class Tokenizers:
    """Tokenizers of a work folder and others, loaded on first use."""

    def __init__(self, work: UPath, more: tuple[str, ...] = ()):
        folder = work / "tokenizers"
        found = sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []
        self.paths = {path.name: path for path in [*found, *map(to_path, more)]}
        self._open = cache(lambda name: _Opened(self.paths[name]))
        for path in map(to_path, more):  # raises for a wrong path before the server starts
            self._open(path.name)

    def tokens(self, name: str, text: str) -> list[Token]:
        """Return the tokens of a text; raise WorkError if the tokenizer does not exist."""
        if name not in self.paths:
            raise WorkError(f"no tokenizer {name!r}; found {', '.join(self.paths) or 'none'}")
        return self._open(name)(text)


class _Opened:
    def __init__(self, path: UPath):
        try:
            self.tokenizer = open_tokenizer(path)
        except OSError as error:
            raise GristmillError(f"cannot read the tokenizer {path}: {error.strerror or error}") from None
        self.spelled = id_to_bytes(self.tokenizer.model)

    def __call__(self, text: str) -> list[Token]:
        found, ids, bytes = [], [], b""
        for id in self.tokenizer.encode(text):
            ids.append(id)
            bytes += self.spelled[id]
            try:
                found.append(Token(bytes.decode(), ids))
            except UnicodeDecodeError as error:
                if len(bytes) - error.start < LONGEST and error.reason == "unexpected end of data":
                    continue  # the rest of the character is in the next id
                found.append(Token(bytes.decode("utf-8", "replace"), ids))
            ids, bytes = [], b""
        return [*found, Token(bytes.decode("utf-8", "replace"), ids)] if ids else found
