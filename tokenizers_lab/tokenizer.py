"""Tokenizer in use: text to ids and back, for batches of documents and, for people, for a string."""

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.snapshots import snapshot
from gristmill.tokenizers_lab.encode.bpe_dropout import Dropout
from gristmill.tokenizers_lab.encode.encoder import Encoder
from gristmill.tokenizers_lab.encode.initial_symbols import CODES
from gristmill.tokenizers_lab.encode.library import LibraryEncoder
from gristmill.tokenizers_lab.encode.longest_match import LongestMatch
from gristmill.tokenizers_lab.encode.merge_table import MergeTable, merge_table
from gristmill.tokenizers_lab.encode.vocab_lookup import VocabLookup
from gristmill.tokenizers_lab.formats.check import LIBRARIES
from gristmill.tokenizers_lab.formats.model import Model, find_model, parse_model
from gristmill.tokenizers_lab.normalize.normalizers import denormalize, normalize
from gristmill.tokenizers_lab.strings.added_tokens import AddedTokens
from gristmill.tokenizers_lab.strings.surrogates import from_texts, valid_text
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols
from gristmill.tokenizers_lab.unigram.encode import UnigramEncoder as UnigramEncoder
from gristmill.tokenizers_lab.unigram.sampling import LatticeSampler

if TYPE_CHECKING:
    from upath import UPath

Encode = Callable[[Ragged], Ragged]
SNAPSHOT_BYTES = 1 << 18  # of a file that is parsed in 0.1 s


class Tokenizer:
    """Encoder and decoder of a model. Special tokens in text are text, unless they are allowed by name."""

    def __init__(self, model: Model):
        self.model = model
        self._encode: Encode = ENCODERS[model.algorithm](model)
        self._symbols = UserSymbols(model.pieces[id] for id in model.user_symbols)
        self.spelled = id_to_bytes(model)
        self._spelled = Ragged.from_strings(self.spelled)
        self._lacks = _lacking_bytes(model)
        self._finders: dict[frozenset[str], tuple[AddedTokens, AddedTokens]] = {}

    @classmethod
    def load(cls, path: "str | Path | UPath") -> "Tokenizer":
        """Load the tokenizer in a folder or file that ``gristmill tokenizer`` wrote; a large one from a snapshot."""
        file = find_model(path if isinstance(path, Path) else to_path(path))
        data = file.read_bytes()
        if len(data) < SNAPSHOT_BYTES:
            return cls(parse_model(data, file))
        return snapshot(cls, hashlib.sha256(data).hexdigest(), lambda: cls(parse_model(data, file)))

    def __call__(self, text: Ragged, allowed: frozenset[str] = frozenset()) -> Ragged:
        """Return the ids of each document, uint16, or uint32 for more than 65,536 pieces; none for an empty one.

        Special tokens in ``allowed`` are recognized in the text.
        """
        if library := self.runs_in("tokenizers"):
            return library(text, self._all_allowed(text, allowed))
        if self._lacks.any() and self._lacks[text.data].any():  # no text in UTF-8 has such bytes
            text = Ragged.from_strings([text.row(row).decode("utf-8", "replace") for row in range(text.rows)])
        raw, normal = self._finder(allowed)
        begins = np.ones(text.rows, np.bool_)
        if raw:
            return raw.encode_between(lambda parts, first: self._cut_normal(parts, first, normal), text, begins)
        return self._cut_normal(text, begins, normal)

    def runs_in(self, *libraries: str) -> LibraryEncoder | None:
        """Return the encoder of a library if it is one of those named, or any if none is named."""
        known = isinstance(self._encode, LibraryEncoder) and (not libraries or self._encode.library in libraries)
        return self._encode if known else None  # type: ignore[return-value]

    def _cut_normal(self, text: Ragged, begins: np.ndarray, tokens: AddedTokens) -> Ragged:
        """Return the ids of text between the tokens that are matched before normalization."""
        text = self._normal(text, begins)
        return tokens.encode_between(self._encode_part, text, begins) if tokens else self._encode_part(text, begins)

    def _encode_part(self, text: Ragged, begins: np.ndarray) -> Ragged:
        if self.model.part_normalizers:
            text = normalize(text, self.model.part_normalizers, begins=begins)
        if self._symbols and isinstance(self._encode, Encoder):
            return self._symbols.encode_between(self._encode, np.array(self.model.user_symbols), text)
        return self._encode(text)

    def _finder(self, allowed: frozenset[str]) -> tuple[AddedTokens, AddedTokens]:
        """Return the finders of tokens in raw text, and of those in normalized text."""
        if allowed not in self._finders:
            tokens = self.model.added_tokens
            raw, normal = ([token for token in tokens if token.normalized == each] for each in (False, True))
            spelled = self._normal(Ragged.from_strings([token.content for token in normal]))
            self._finders[allowed] = (
                AddedTokens(raw, [token.content.encode() for token in raw], allowed),
                AddedTokens(normal, [spelled.row(row) for row in range(spelled.rows)], allowed),
            )
        return self._finders[allowed]

    def _all_allowed(self, text: Ragged, allowed: frozenset[str]) -> bool:
        """Return whether special tokens in the text are allowed, for a library that recognizes all of them or none."""
        if not allowed or allowed >= self.model.special.keys():
            return bool(allowed)
        there = {token for token in self.model.special if token.encode() in text.data.tobytes()}
        if allowed & there and there - allowed:
            raise RecipeError(
                f"the text contains {min(allowed & there)!r} and, not allowed, {min(there - allowed)!r}: "
                "this tokenizer runs in tokenizers, which recognizes all special tokens or none; allow all"
            )
        return bool(allowed & there)

    def encode_dropout(self, text: Ragged, chance: float, seed: int, numbers: np.ndarray | None = None) -> Ragged:
        """Return the ids of each document by BPE-dropout, which skips each merge with probability ``chance``, 0 to 1.

        The result depends on the seed (0 to 2 ** 64 - 1) and each document's number (uint64[rows], by default 0, 1, 2
        ...). Raises RecipeError for an algorithm other than BPE, and for user symbols.
        """
        if not isinstance(self._encode, Encoder) or self.model.algorithm == "wordpiece":
            raise RecipeError(f"dropout skips merges, and {self.model.algorithm} has none; use a bpe tokenizer")
        if not 0 <= chance <= 1:
            raise RecipeError(f"dropout must be a probability, 0 to 1; found {chance}")
        if self._symbols or any(self._finder(frozenset())):
            raise RecipeError("dropout does not support user symbols or added tokens, which this tokenizer has")
        numbers = np.arange(text.rows) if numbers is None else numbers
        return Dropout(self._encode, chance, seed)(self._normal(text), numbers)

    def encode_nbest(self, text: str, count: int) -> list[tuple[list[int], float]]:
        """Return the ``count`` best segmentations of a string, or all if fewer: ids and log-probability.

        Raises RecipeError for an algorithm other than unigram.
        """
        ids, scores = self._sampler().nbest(self._normal(Ragged.from_strings([text])), count)
        rows = [ids.data[a:b].tolist() for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True)]
        return [*zip(rows, scores.tolist(), strict=True)]

    def encode_sample(self, text: Ragged, alpha: float, seed: int, numbers: np.ndarray | None = None) -> Ragged:
        """Return the ids of each document in a segmentation sampled with probability proportional to P^alpha.

        The result depends on the seed (0 to 2 ** 64 - 1) and each document's number (uint64[rows], by default 0, 1, 2
        ...). Raises RecipeError for an algorithm other than unigram.
        """
        numbers = np.arange(text.rows) if numbers is None else numbers
        return self._sampler().sample(self._normal(text), alpha, seed, numbers)

    def entropy(self, text: Ragged, alpha: float = 1.0) -> np.ndarray:
        """Return the entropy of each document's segmentations in nats, float64[rows]."""
        return self._sampler().entropy(self._normal(text), alpha)

    def _sampler(self) -> LatticeSampler:
        if not isinstance(self._encode, UnigramEncoder):
            raise RecipeError(f"only segmentations of unigram have probabilities; found {self.model.algorithm}")
        return LatticeSampler(self._encode)

    def _normal(self, text: Ragged, begins: np.ndarray | None = None) -> Ragged:
        return normalize(text, self.model.normalizers, self._symbols, begins, self.model.charsmap)

    def allowed(self, named: Iterable[str]) -> frozenset[str]:
        """Return the named special tokens ("all" for every one). Raises RecipeError for any other name."""
        tokens = frozenset(self.model.special if named == "all" else named)
        if unknown := tokens - self.model.special.keys():
            known = ", ".join(self.model.special) or "none"
            raise RecipeError(f"{min(unknown)!r} is not a special token; the tokenizer has {known}")
        return tokens

    def encode(self, text: str, allowed: Iterable[str] = ()) -> list[int]:
        """Return the ids of a string; special tokens in ``allowed`` are recognized in it ("all" for every one)."""
        if self._is_plain and not allowed:
            return self._objects.take(self._encode.encode_text(valid_text(text).encode())).tolist()  # type: ignore[attr-defined]
        return self(from_texts([text]), self.allowed(allowed)).data.tolist()

    def to_lists(self, ids: Ragged) -> list[list[int]]:
        """Return the ids of each document as a list.

        It takes ready objects: `tolist` of an array makes new ones, which costs twice as much as encoding.
        """
        return [self._objects.take(ids.data[a:b]).tolist() for a, b in pairwise(ids.offsets.tolist())]

    @cached_property
    def _objects(self) -> np.ndarray:
        """All ids as Python integers."""
        return np.arange(self.model.size).astype(object)

    @cached_property
    def _is_plain(self) -> bool:
        """True if nothing but the encoder sees a text without special tokens."""
        model = self.model
        changes = model.normalizers or model.part_normalizers or self._symbols or any(self._finder(frozenset()))
        return isinstance(self._encode, Encoder) and not changes and not self._lacks.any()

    def decode(self, ids: Ragged) -> Ragged:
        """Return each document's bytes; special tokens become their text. Raises InputError for an unknown id."""
        for id in (int(ids.data.max()), int(ids.data.min())) if ids.data.size else ():
            if not 0 <= id < self.model.size:
                raise InputError(f"id {id} is not in the vocabulary of {self.model.size:,}")
        if library := self.runs_in():
            bounds = zip(ids.offsets[:-1], ids.offsets[1:], strict=True)
            return Ragged.from_strings([library.decode(ids.data[a:b].tolist()) for a, b in bounds])
        text = Ragged.from_arrays(*_write_pieces(*ids, *self._spelled))
        names = (*self.model.normalizers, *self.model.part_normalizers)
        return denormalize(text, ("prefix",) if self.model.prefix else names)

    def decode_ids(self, ids: Iterable[int]) -> str:
        """Return one document's text; bytes that make no character become U+FFFD."""
        ids = np.array([*ids], np.int64)
        return self.decode(Ragged.from_arrays(np.array([0, ids.size]), ids)).row(0).decode("utf-8", "replace")

    def offsets(self, ids: Ragged) -> np.ndarray:
        """Return the byte of its document at which each id's text begins, int64; exact if nothing is normalized."""
        sizes = np.diff(self._spelled.offsets)[ids.data]
        begin = np.concatenate(([0], np.cumsum(sizes)))
        return begin[:-1] - np.repeat(begin[ids.offsets[:-1]], np.diff(ids.offsets))


def _lacking_bytes(model: Model) -> np.ndarray:
    """Return the bytes without a piece in a vocabulary of bytes: bool[256], all False for others."""
    if model.algorithm not in ("bpe", "words", "chars") or model.alphabet != "bytes":
        return np.zeros(256, np.bool_)
    there = {piece[0] for piece in model.pieces if len(piece) == 1}
    return np.array([byte not in there for byte in range(256)])


def id_to_bytes(model: Model) -> list[bytes]:
    """Return the bytes that each id adds to a text; a WordPiece that begins a word adds a space."""
    prefix = model.prefix.encode()
    if not prefix:
        return model.pieces
    return [p[len(prefix) :] if p.startswith(prefix) and p != prefix else b" " + p for p in model.pieces]


def bpe_encoder(model: Model) -> Encode:
    """Return the encoder of BPE over bytes or characters; ``words`` and ``chars`` are BPE without merges."""
    text = {piece: id for id, piece in enumerate(model.pieces) if model.is_text(id) and id not in model.user_symbols}
    if model.alphabet == "bytes":
        first = np.array([text.get(bytes([b]), 0) for b in range(256)], np.int32)  # a byte without one never comes
    else:
        first = np.full(CODES + 257, -1, np.int32)
        for piece, id in text.items():
            if (character := piece.decode("utf-8", "ignore")) and len(character) == 1 and character.encode() == piece:
                first[ord(character)] = id
        if model.bytes_from is not None:
            first[CODES : CODES + 256] = np.arange(model.bytes_from, model.bytes_from + 256)
        first[-1] = _id(model.role("unknown"))
    merges = merges_by_piece(model, text) if model.by_piece else merge_table(*model.merges.T)
    spelled = Ragged.from_strings(model.pieces)
    return Encoder(
        model.pretokenizer,
        model.dtype,
        first,
        merges,
        spelled,
        VocabLookup.from_dict(text) if model.ignore_merges else None,
    )


def merges_by_piece(model: Model, text: dict[bytes, int]) -> MergeTable:
    """Return every split of a piece in two as a merge; its rank is the piece's, by score or else by id."""
    order = sorted(text.values(), key=lambda id: -model.scores[id]) if model.scores.size else sorted(text.values())
    pairs = []
    for rank, id in enumerate(order):
        piece = model.pieces[id]
        for cut in range(1, len(piece)):
            left, right = text.get(piece[:cut]), text.get(piece[cut:])
            if left is not None and right is not None:
                pairs.append((left, right, rank))
    columns = np.array(pairs, np.int32).reshape(-1, 3).T
    return merge_table(columns[0], columns[1], np.array(order, np.int32), columns[2])


def wordpiece_encoder(model: Model) -> Encode:
    """Return the encoder of the longest pieces from the left; a word that pieces do not tile is unknown."""
    prefix = model.prefix.encode()
    text = {piece: id for id, piece in enumerate(model.pieces) if model.is_text(id)}
    pieces = {b"\xff": NOTHING}  # the mark itself is not a piece
    for piece, id in text.items():
        pieces[b"\xff" + piece[len(prefix) :] if piece.startswith(prefix) and piece != prefix else piece] = id
    trie = build(Ragged.from_strings([*pieces]))
    ids = np.array([*pieces.values(), NOTHING], np.int32)
    longest = LongestMatch(
        trie.keys,
        trie.nodes,
        ids[trie.piece],
        _behind_mark(trie),
        _id(model.role("unknown")),
        model.max_input_chars_per_word,
    )
    nothing = np.full(256, -1, np.int32), merge_table(*np.empty((3, 0), np.int32)), Ragged.from_strings([])
    return Encoder(model.pretokenizer, model.dtype, *nothing, None, longest)


@kernel
def _behind_mark(trie):
    return step(trie.keys, trie.nodes, np.int64(0), np.int64(0xFF))


def unigram_encoder(model: Model) -> Encode:
    """Return the encoder of the best segmentation."""
    return UnigramEncoder(
        model.pieces,
        model.scores,
        _id(model.role("unknown")),
        _id(model.bytes_from),
        symbols=model.user_symbols,
        dtype=model.dtype,
    )


def library_encoder(model: Model) -> Encode:
    """Return the encoder that runs the library of the original file."""
    return LibraryEncoder(model.algorithm, model.original, model.dtype)


def _id(id: int | None) -> int:
    return -1 if id is None else id


ENCODERS: dict[str, Callable[[Model], Encode]] = {
    "bpe": bpe_encoder,
    "words": bpe_encoder,
    "chars": bpe_encoder,
    "unigram": unigram_encoder,
    "wordpiece": wordpiece_encoder,
    **{name: library_encoder for name in LIBRARIES},
}


@allocating_kernel
def _write_pieces(offsets, ids, piece_offsets, text):
    """Write the bytes of the pieces of all ids."""
    total = 0
    for id in ids:
        total += piece_offsets[id + 1] - piece_offsets[id]
    new_offsets, data, at = np.empty(offsets.size, np.int64), np.empty(total, np.uint8), 0
    for row in range(offsets.size - 1):
        new_offsets[row] = at
        for i in range(offsets[row], offsets[row + 1]):
            for k in range(piece_offsets[ids[i]], piece_offsets[ids[i] + 1]):
                data[at] = text[k]
                at += 1
    new_offsets[offsets.size - 1] = at
    return new_offsets, data
