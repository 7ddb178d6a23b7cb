"""What a tokenizer is, and the one readable file it lives in: ``gristmill.json``, a piece a line.

A piece that is text stands there as text, one that is only bytes as ``["e2 96"]``. All that encoding and decoding need
is in the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write

FILE = "gristmill.json"
FORMAT, VERSION = "gristmill tokenizer", 3
END_OF_TEXT = "<|endoftext|>"
# The names by which special tokens are known to have a role.
ROLE_NAMES = {
    "bos": ("<s>", "<bos>", "<|begin_of_text|>", "[CLS]", END_OF_TEXT),
    "eos": ("</s>", "<eos>", "<|end_of_text|>", "[SEP]", END_OF_TEXT),
    "unknown": ("<unk>", "[UNK]"),
    "pad": ("<pad>", "[PAD]"),
    "mask": ("<mask>", "[MASK]"),
}


@dataclass(frozen=True, eq=False)
class Model:
    """Everything that turns text into ids and back."""

    algorithm: str  # bpe, wordpiece, unigram, words, chars
    pretokenizer: str  # see tokenizers_lab/pretokenizer
    pieces: list[bytes]  # id -> what it spells; special tokens are among them
    merges: np.ndarray = field(default_factory=lambda: np.empty((0, 3), np.int32))  # int32[m, 3]: left, right, whole
    scores: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))  # unigram: float32[pieces]
    special: dict[str, int] = field(default_factory=dict)  # their text -> id
    roles: dict[str, str] = field(default_factory=dict)  # of KNOWN -> which special token has it
    alphabet: str = "bytes"  # what the first pieces are: bytes or characters
    bytes_from: int | None = None  # id of the piece for byte 0, where bytes have pieces of their own, apart from text
    ignore_merges: bool = False  # a piece of text that is in the vocabulary is its id, whatever merges say
    by_piece: bool = False  # whatever neighbours spell a piece merge, ranked by scores or else ids: no list of merges
    normalizers: tuple[str, ...] = ()  # see tokenizers_lab/normalize/normalizers.py
    user_symbols: tuple[
        int, ...
    ] = ()  # ids of texts that are one piece wherever they stand: see tokenizers_lab/strings/user_symbols.py
    prefix: str = ""  # wordpiece: what a piece inside a word begins with
    max_input_chars_per_word: int = 0  # wordpiece: characters of the longest word that is cut

    @property
    def size(self) -> int:
        return len(self.pieces)

    @property
    def dtype(self) -> np.dtype:
        """The smallest kind of number that holds all ids, little end first."""
        return np.dtype("<u2" if self.size <= 1 << 16 else "<u4")

    def role(self, name: str) -> int | None:
        """The id of the special token with that role."""
        return self.special.get(self.roles.get(name, ""))

    def is_text(self, id: int) -> bool:
        """Is the piece what a part of a text may become?"""
        return not self.is_byte(id) and id not in self.special_ids

    @cached_property
    def special_ids(self) -> frozenset[int]:
        """The ids of special tokens."""
        return frozenset(self.special.values())

    def is_byte(self, id: int) -> bool:
        """Does the piece stand for a byte and not for text?"""
        return self.bytes_from is not None and self.bytes_from <= id < self.bytes_from + 256


def known_roles(special: Iterable[str]) -> dict[str, str]:
    """The roles that special tokens have by their names."""
    found = {role: next((name for name in names if name in special), None) for role, names in ROLE_NAMES.items()}
    return {role: token for role, token in found.items() if token}


def write_model(model: Model, folder: UPath) -> None:
    """``FOLDER/gristmill.json``, whole or not at all; the same bytes for the same tokenizer."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "algorithm": model.algorithm,
        "pretokenizer": model.pretokenizer,
        "alphabet": model.alphabet,
        "normalizers": model.normalizers,
        "user_symbols": model.user_symbols,
        "special": model.special,
        "roles": model.roles,
        "bytes_from": model.bytes_from,
        "ignore_merges": model.ignore_merges,
        "by_piece": model.by_piece,
        "prefix": model.prefix,
        "max_input_chars_per_word": model.max_input_chars_per_word,
        "sizes": {"pieces": model.size, "merges": len(model.merges), "scores": model.scores.size},
    }
    lines = [f" {_json(key)}: {_json(value)},\n" for key, value in head.items()]
    with atomic_write(folder / FILE) as file:
        file.write(("{\n" + "".join(lines)).encode())
        file.write(
            b' "pieces": [\n  ' + b",\n  ".join(orjson.dumps(_to_json(piece)) for piece in model.pieces) + b"],\n"
        )
        rows = (b",".join(b"%d" % id for id in row) for row in model.merges.tolist())
        file.write(b' "merges": [\n  ' + b",\n  ".join(b"[" + row + b"]" for row in rows) + b"],\n")
        scores = [None if np.isnan(score) else float(score) for score in model.scores]
        file.write(b' "scores": ' + orjson.dumps(scores) + b"\n}\n")


def read_model(path: UPath) -> Model:
    """The tokenizer in a folder or a file. Raises WorkError where there is none, or it is of another version or cut."""
    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise WorkError(f"{path} holds no {FILE}; train a tokenizer with `gristmill tokenizer train`, or import one")
    try:
        told = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise WorkError(f"{file} is damaged or cut short ({error}); write it again") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise WorkError(f"{file} is no Gristmill tokenizer; for other formats see `gristmill tokenizer import`")
    if told.get("version") != VERSION:
        raise WorkError(f"{file} is of version {told.get('version')}, this program reads {VERSION}; train it again")
    sizes = {name: len(told.get(name, ())) for name in ("pieces", "merges", "scores")}
    if sizes != told.get("sizes"):
        raise WorkError(f"{file} is damaged: it holds {sizes}, and says {told.get('sizes')}; write it again")
    scores = [np.nan if score is None else score for score in told["scores"]]
    return Model(
        algorithm=told["algorithm"],
        pretokenizer=told["pretokenizer"],
        pieces=[_from_json(piece) for piece in told["pieces"]],
        merges=np.array(told["merges"], np.int32).reshape(-1, 3),
        scores=np.array(scores, np.float32),
        special=told["special"],
        roles=told["roles"],
        alphabet=told["alphabet"],
        bytes_from=told["bytes_from"],
        ignore_merges=told["ignore_merges"],
        by_piece=told["by_piece"],
        normalizers=tuple(told["normalizers"]),
        user_symbols=tuple(told["user_symbols"]),
        prefix=told["prefix"],
        max_input_chars_per_word=told["max_input_chars_per_word"],
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _to_json(piece: bytes) -> str | list[str]:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return [piece.hex(" ")]


def _from_json(shown: str | list[str]) -> bytes:
    return shown.encode() if isinstance(shown, str) else bytes.fromhex(shown[0])
