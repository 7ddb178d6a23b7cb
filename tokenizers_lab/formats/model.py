"""Model of a tokenizer, and its one readable file, ``gristmill.json``, with a piece per line.

A piece that is text is written as text, and one that is only bytes as ``["e2 96"]``. The file holds all that encoding
and decoding need.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson

from gristmill.pipelines.errors import WorkError, naming, shown
from gristmill.pipelines.storage.files import atomic_write, checksum
from gristmill.tokenizers_lab.formats.parse import parse
from gristmill.tokenizers_lab.strings.added_tokens import AddedToken

if TYPE_CHECKING:
    from upath import UPath

FILE = "gristmill.json"
FORMAT, VERSION = "gristmill tokenizer", 4
END_OF_TEXT = "<|endoftext|>"
# The names of special tokens that imply a role.
ROLE_NAMES = {
    "bos": ("<s>", "<bos>", "<|begin_of_text|>", "[CLS]", END_OF_TEXT),
    "eos": ("</s>", "<eos>", "<|end_of_text|>", "[SEP]", END_OF_TEXT),
    "unknown": ("<unk>", "[UNK]"),
    "pad": ("<pad>", "[PAD]"),
    "mask": ("<mask>", "[MASK]"),
}


@dataclass(frozen=True, eq=False)
class Model:
    """All data that turn text into ids and back. Making one checks it and raises InputError for a misfit."""

    algorithm: str  # bpe, wordpiece, unigram, words, chars; or a library that runs its own file: see LIBRARIES
    pretokenizer: str  # name of a pre-tokenizer: see tokenizers_lab/pretokenize
    pieces: list[bytes]  # id -> its bytes; special tokens are among them
    merges: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.int32))  # int32[m, 3]: left, right, merged
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))  # unigram: float32[pieces]
    special: dict[str, int] = field(default_factory=dict)  # text -> id
    roles: dict[str, str] = field(default_factory=dict)  # role -> special token: see ROLE_NAMES
    alphabet: str = "bytes"  # of the first pieces: bytes or characters
    bytes_from: int | None = None  # id of byte 0, if bytes have pieces apart from text
    ignore_merges: bool = False  # a pre-token in the vocabulary is its id, whatever the merges say
    by_piece: bool = False  # neighbors merge if they spell a piece, by score or else id; no list of merges
    normalizers: tuple[str, ...] = ()  # names: see tokenizers_lab/normalize/normalizers.py
    part_normalizers: tuple[str, ...] = ()  # of the text between added tokens, after ``normalizers``
    charsmap: bytes = b""  # character map of the normalizer charsmap
    added: tuple[AddedToken, ...] = ()  # tokenizers': every special token and others; () if special ones are plain
    user_symbols: tuple[int, ...] = ()  # ids: see tokenizers_lab/strings/user_symbols.py
    prefix: str = ""  # wordpiece: begins each piece inside a word
    max_input_chars_per_word: int = 0  # wordpiece: a longer word is unknown
    original: bytes = b""  # file of the library that encodes

    def __post_init__(self):
        from gristmill.tokenizers_lab.formats.check import check_model

        check_model(self)

    @property
    def size(self) -> int:
        return len(self.pieces)

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned integer type that holds all ids, little-endian."""
        return np.dtype("<u2" if self.size <= 1 << 16 else "<u4")

    def role(self, name: str) -> int | None:
        """Return the id of the special token with that role, or None."""
        return self.special.get(self.roles.get(name, ""))

    def is_text(self, id: int) -> bool:
        """True if a part of a text may become the piece."""
        return not self.is_byte(id) and id not in self.special_ids

    @property
    def added_tokens(self) -> tuple[AddedToken, ...]:
        """Tokens besides the model's pieces, special ones among them."""
        return self.added or tuple(AddedToken(token, id) for token, id in self.special.items())

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of special and other added tokens."""
        return frozenset((*self.special.values(), *(token.id for token in self.added)))

    def is_byte(self, id: int) -> bool:
        """True if the piece stands for a byte and not for text."""
        return self.bytes_from is not None and self.bytes_from <= id < self.bytes_from + 256


def known_roles(special: Iterable[str]) -> dict[str, str]:
    """Return the roles that special tokens have by their names."""
    found = {role: next((name for name in names if name in special), None) for role, names in ROLE_NAMES.items()}
    return {role: token for role, token in found.items() if token}


def write_model(model: Model, folder: "UPath") -> None:
    """Write ``FOLDER/gristmill.json``, whole or not at all; the same bytes for the same tokenizer."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "algorithm": model.algorithm,
        "pretokenizer": model.pretokenizer,
        "alphabet": model.alphabet,
        "normalizers": model.normalizers,
        "part_normalizers": model.part_normalizers,
        "charsmap": base64.b64encode(model.charsmap).decode(),
        "added": [token._asdict() for token in model.added],
        "user_symbols": model.user_symbols,
        "special": model.special,
        "roles": model.roles,
        "bytes_from": model.bytes_from,
        "ignore_merges": model.ignore_merges,
        "by_piece": model.by_piece,
        "prefix": model.prefix,
        "max_input_chars_per_word": model.max_input_chars_per_word,
        "original": base64.b64encode(model.original).decode(),
        "sizes": {"pieces": model.size, "merges": len(model.merges), "scores": model.scores.size},
    }
    lines = [f" {_json(key)}: {_json(value)},\n" for key, value in head.items()]
    with atomic_write(folder / FILE) as file:
        file.write(("{\n" + "".join(lines)).encode())
        _write_lines(file, b"pieces", (orjson.dumps(_to_json(piece)) for piece in model.pieces))
        _write_lines(file, b"merges", (b"[%d,%d,%d]" % tuple(row) for row in model.merges.tolist()))
        scores = [None if np.isnan(score) else float(score) for score in model.scores]
        file.write(b' "scores": ' + orjson.dumps(scores) + b"\n}\n")


def _write_lines(file: BinaryIO, name: bytes, rows: Iterable[bytes]) -> None:
    """Write a list with a value per line. Joined first, each value of orjson would hold 4 kB until then."""
    file.write(b' "%s": [\n  ' % name)
    for number, row in enumerate(rows):
        file.write(b",\n  " + row if number else row)
    file.write(b"],\n")


def finish_model(model: Model, folder: "UPath") -> None:
    """Write the tokenizer with a manifest, for commands that make it without a step."""
    from gristmill.pipelines.storage.manifest import MANIFEST, Manifest, Part, fingerprint

    (folder / MANIFEST).unlink(missing_ok=True)
    write_model(model, folder)
    counts = {"pieces": model.size, "merges": len(model.merges)}
    name = fingerprint(checksum(folder / FILE))
    Manifest(name, {}, {FILE: Part.from_files(folder, name, [FILE], counts)}).write(folder)


def find_model(path: "Path | UPath") -> "Path | UPath":
    """Return the file of a tokenizer: the path, or the file in a folder. Raises WorkError if it is missing."""
    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise WorkError(f"{path} holds no {FILE}; train a tokenizer with `gristmill tokenizer train`, or import one")
    return file


def read_model(path: "UPath") -> Model:
    """Read the tokenizer in a folder or a file. Raises WorkError if it is missing, damaged or of another version."""
    file = find_model(path)
    return parse_model(file.read_bytes(), file)


def parse_model(data: bytes, file: "Path | UPath") -> Model:
    """Return the tokenizer in the bytes of a file. Raises WorkError if they are damaged or of another version."""
    from gristmill.pipelines.settings import read_settings
    from gristmill.tokenizers_lab.formats.head import Head

    try:
        table = parse(data)
    except orjson.JSONDecodeError as error:
        raise WorkError(f"{file} is damaged or cut short ({error}); write it again") from None
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        raise WorkError(f"{file} is not a Gristmill tokenizer; read other formats with `gristmill tokenizer import`")
    if table.get("version") != VERSION:
        raise WorkError(f"{file} has version {table.get('version')}, expected {VERSION}; train or import it again")
    parts = {name: table.pop(name, None) for name in ("pieces", "merges", "scores")}
    sizes = {name: len(part) if isinstance(part, list) else None for name, part in parts.items()}
    if sizes != table.get("sizes"):
        raise WorkError(f"{file} is damaged: found {sizes}, expected {shown(table.get('sizes'))}; write it again")
    head = read_settings(Head, table, f"{file}")
    with naming(file), np.errstate(over="ignore"):  # a score that is too large is refused as infinite
        merges, scores = _numbers("merges", parts["merges"], "iu"), _numbers("scores", parts["scores"], "iuf")
        given: dict[str, Any] = {
            name: tuple(getattr(head, name)) for name in ("normalizers", "part_normalizers", "user_symbols")
        }
        given["added"] = tuple(AddedToken(**token.model_dump()) for token in head.added)
        given |= {name: _decoded(name, getattr(head, name)) for name in ("charsmap", "original")}
        return Model(
            pieces=[_from_json(piece, id) for id, piece in enumerate(parts["pieces"])],
            merges=merges.reshape(-1, 3) if merges.size % 3 == 0 else merges,
            scores=scores.astype(np.float32),
            **head.model_dump() | given,
        )


def _numbers(name: str, rows: list, kinds: str) -> np.ndarray:
    """Return numbers, or rows of them, as an array; null is NaN. Raises WorkError for anything else."""
    try:
        numbers = np.array([np.nan if row is None else row for row in rows]) if rows else np.empty(0, np.int32)
    except ValueError:  # rows of different sizes
        numbers = np.empty(0, object)
    if numbers.dtype.kind not in kinds:
        raise WorkError(f"{name} are damaged: expected a list of numbers, or of rows of 3; write the file again")
    return numbers


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise WorkError(f"{name} is damaged: expected base64, found {shown(text)}; write the file again") from None


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _to_json(piece: bytes) -> str | list[str]:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return [piece.hex(" ")]


def _from_json(piece: Any, id: int) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    try:
        (digits,) = piece
        return bytes.fromhex(digits)
    except (TypeError, ValueError):
        raise WorkError(f"piece {id:,} is {shown(piece)}, expected a text, or bytes as ['e2 96']") from None
