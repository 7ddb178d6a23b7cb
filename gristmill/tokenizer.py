"""Tokenizers: load any format, train, encode, decode, save; and the token shards of a corpus."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as LocalPath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from gristmill.options import Path, Paths, Settings, changes_of, path_of, paths_of, running
from gristmill.pipelines.errors import GristmillError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import to_path
from gristmill.tokenizers_lab.formats.check import LIBRARIES
from gristmill.tokenizers_lab.formats.model import FILE, finish_model
from gristmill.tokenizers_lab.offsets import encode_with_offsets
from gristmill.tokenizers_lab.strings.surrogates import from_texts, valid_text
from gristmill.tokenizers_lab.tokenizer import Tokenizer as Codec

if TYPE_CHECKING:  # a tokenizer in use needs none of these
    import polars as pl
    import pyarrow as pa

    from gristmill.pipelines.tokens.shards import TokenShards

FORMATS = {".json": "hf", ".model": "sentencepiece", ".tiktoken": "tiktoken", ".txt": "bert"}
Allowed: TypeAlias = "Iterable[str] | Literal['all']"
Texts: TypeAlias = "Sequence[str] | pl.Series | pa.Array | pa.ChunkedArray"


class Tokenizer:
    """Tokenizer in use. Special tokens in a text are text, unless they are allowed by name.

    >>> tokenizer = gm.Tokenizer.load("tokenizer")
    >>> tokenizer
    Tokenizer(bpe, 300 pieces, pre-tokenizer o200k)
    >>> tokenizer.decode(tokenizer.encode("The mill grinds."))
    'The mill grinds.'
    """

    def __init__(self, codec: Codec):
        self._codec, self.model = codec, codec.model
        self._ids: dict[bytes, int] | None = None

    @classmethod
    def load(
        cls, path: Path, *, pretokenizer: str | None = None, special: Mapping[str, int] | None = None
    ) -> "Tokenizer":
        """Load a tokenizer: a folder of ours, or a file of another library, whose ids are compared with it.

        Files are ``tokenizer.json``, SentencePiece's ``.model``, ``tekken.json``, BERT's ``vocab.txt`` and
        ``.tiktoken``, which names neither its pre-tokenizer nor its special tokens. A file of which a part has no form
        of ours is run by its own library: ``backend`` names it. Raises GristmillError for a file that cannot be read.

        >>> len(gm.Tokenizer.load("tokenizer"))
        300
        """
        given = path_of(path)
        for file in (LocalPath(given), LocalPath(given) / FILE):
            if file.name == FILE and file.is_file():
                return cls(Codec.load(file))
        from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer  # of all formats and stores

        return cls(open_tokenizer(given, pretokenizer, dict(special or {})))

    @classmethod
    def train(
        cls,
        corpus: Paths,
        output: Path = "tokenizer",
        vocab_size: int = 32_000,
        *,
        algorithm: Literal["bpe", "superbpe", "wordpiece", "unigram", "words", "chars"] = "bpe",
        pretokenizer: str | None = None,
        special: Sequence[str] | None = None,
        user_symbols: Sequence[str] = (),
        normalizers: Sequence[str] | None = None,
        parity: str | None = None,
        settings: Settings | None = None,
        engine: str = "processes",
        workers: int | None = None,
        progress: bool | None = None,
    ) -> "Tokenizer":
        """Train a tokenizer on a run, Parquet, JSONL or text; write it to the folder ``output``.

        None means the default of the algorithm. ``parity`` is a column of languages whose compression is balanced.
        ``settings`` are of the tables bpe, superbpe, parity, unigram, wordpiece and roles, such as
        ``bpe.min_frequency``. The word counts remain in ``output``, so another vocabulary size counts nothing again.

        >>> gm.Tokenizer.train("work", "trained", vocab_size=280)
        Tokenizer(bpe, 280 pieces, pre-tokenizer o200k)
        """
        from gristmill.flows.tokenize.train_tokenizer import WORK, tokenizer_settings, train_tokenizer

        given: dict[str, Any] = {"algorithm": algorithm, "pretokenizer": pretokenizer, "vocab_size": vocab_size}
        lists = {"special_tokens": special, "user_symbols": user_symbols, "normalizers": normalizers}
        given |= {name: None if each is None else [*each] for name, each in lists.items()}
        given["parity"] = {"column": parity} if parity else {}
        wanted, folder = tokenizer_settings(given, changes_of(settings)), to_path(output)
        with running(folder / WORK, engine, workers, progress) as (opened, bar):
            return cls(Codec(train_tokenizer(paths_of(corpus), folder, wanted, opened, bar)))

    @property
    def backend(self) -> str:
        """The library that encodes: gristmill, or the one that the file belongs to.

        >>> gm.Tokenizer.load("tokenizer").backend
        'gristmill'
        """
        return self.model.algorithm if self.model.algorithm in LIBRARIES else "gristmill"

    def encode(self, text: str, allowed_special: Allowed = (), disallowed_special: Allowed = ()) -> list[int]:
        """Return the ids of a text; special tokens in ``allowed_special`` are recognized in it ("all" for every one).

        Others are text; raises RecipeError if the text contains one that is in ``disallowed_special`` and not allowed.
        A surrogate that is no half of a pair counts as U+FFFD, as in tiktoken.

        >>> gm.Tokenizer.load("tokenizer").encode("<|endoftext|>", allowed_special="all")
        [0]
        """
        if not allowed_special and not disallowed_special:
            return self._codec.encode(text)
        return self._encode([text], allowed_special, disallowed_special).data.tolist()

    def encode_batch(
        self, texts: Texts, allowed_special: Allowed = (), disallowed_special: Allowed = ()
    ) -> list[list[int]]:
        """Return the ids of each text, as ``encode``.

        >>> [len(ids) for ids in gm.Tokenizer.load("tokenizer").encode_batch(["", "a"])]
        [0, 1]
        """
        return self._codec.to_lists(self._encode(texts, allowed_special, disallowed_special))

    def encode_numpy(
        self, texts: Texts, allowed_special: Allowed = (), *, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of all texts in one array, and the offsets: text i has ``ids[offsets[i] : offsets[i + 1]]``.

        Ids are uint16, or uint32 for more than 65,536 pieces; offsets int64[texts + 1]. ``out`` is an array of integers
        to write the ids to; raises RecipeError if it is too small for them, or its type for the vocabulary.

        >>> ids, offsets = gm.Tokenizer.load("tokenizer").encode_numpy(["", "a"])
        >>> offsets.tolist()
        [0, 0, 1]
        """
        found = self._encode(texts, allowed_special)
        if out is None:
            return found.data, found.offsets
        room = np.iinfo(out.dtype).max if out.dtype.kind in "iu" else -1
        if out.ndim != 1 or room < len(self) - 1 or out.size < found.data.size:
            expected = f"a flat array of integers up to {len(self) - 1:,}, of {found.data.size:,} or more"
            raise RecipeError(f"out is an array of {out.dtype}, shape {out.shape}; expected {expected}")
        out[: found.data.size] = found.data
        return out[: found.data.size], found.offsets

    def encode_with_offsets(self, text: str, allowed_special: Allowed = ()) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a text, and for each its first character and the one after its last.

        Tokens that share a character both count it. Raises RecipeError if the tokenizer changes the text before it
        cuts it, except for a space before it.

        >>> gm.Tokenizer.load("tokenizer").encode_with_offsets("aß")[1][0]
        (0, 1)
        """
        return encode_with_offsets(self._codec, valid_text(text), self._codec.allowed(allowed_special))

    def _encode(self, texts: Texts, allowed: Allowed, disallowed: Allowed = ()) -> Ragged:
        texts = getattr(texts, "to_arrow", lambda: texts)()  # of a Series
        pa = sys.modules.get("pyarrow")  # of nobody's texts if it is not loaded
        arrow = pa and isinstance(texts, pa.Array | pa.ChunkedArray)
        rows = Ragged.from_text(texts) if arrow else from_texts(texts)
        named = self._codec.allowed(allowed)
        for token in sorted(self._codec.allowed(disallowed) - named):
            if token.encode() in rows.data.tobytes():
                raise RecipeError(
                    f"a text contains the special token {token!r}; allow it with allowed_special, or encode it as text "
                    "with disallowed_special=()"
                )
        return self._codec(rows, named)

    def encode_arrow(self, texts: Texts) -> "pa.LargeListArray":
        """Return the ids of each text as an Arrow column, without an object per id: for many texts.

        >>> gm.Tokenizer.load("tokenizer").encode_arrow(["a"]).type
        LargeListType(large_list<item: uint16>)
        """
        return self._encode(texts, ()).to_lists()

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that make no character become U+FFFD. Raises InputError for an unknown id.

        >>> gm.Tokenizer.load("tokenizer").decode([0])
        '<|endoftext|>'
        """
        return self._codec.decode_ids(ids)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes of ids, which may be no valid UTF-8. Raises InputError for an unknown id.

        >>> gm.Tokenizer.load("tokenizer").decode_bytes([0])
        b'<|endoftext|>'
        """
        numbers = np.array([*ids], np.int64)
        return self._codec.decode(Ragged.from_arrays(np.array([0, numbers.size]), numbers)).row(0)

    def decode_batch(self, batch: Iterable[Iterable[int]]) -> list[str]:
        """Return the text of each list of ids.

        >>> tokenizer = gm.Tokenizer.load("tokenizer")
        >>> tokenizer.decode_batch(tokenizer.encode_batch(["one", "two"]))
        ['one', 'two']
        """
        return [self.decode(ids) for ids in batch]

    def token_to_id(self, token: str | bytes) -> int | None:
        """Return the id of a special token, another added token or a piece, by its text or bytes; None if it has none.

        >>> tokenizer = gm.Tokenizer.load("tokenizer")
        >>> tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id("no such piece")
        (0, None)
        """
        for added in self.model.added_tokens:
            if token == added.content:
                return added.id
        if self._ids is None:
            self._ids = {piece: id for id, piece in enumerate(self._codec.spelled) if piece}
        return self._ids.get(token.encode() if isinstance(token, str) else token)

    def pieces(self, text: str) -> list[str]:
        """Return the text of each token; a piece of a character shows as U+FFFD.

        >>> "".join(gm.Tokenizer.load("tokenizer").pieces("The mill grinds."))
        'The mill grinds.'
        """
        return [self.model.pieces[id].decode("utf-8", "replace") for id in self.encode(text)]

    @property
    def special(self) -> dict[str, int]:
        """Special tokens with their ids.

        >>> gm.Tokenizer.load("tokenizer").special
        {'<|endoftext|>': 0}
        """
        return dict(self.model.special)

    def save(self, path: Path) -> None:
        """Write the tokenizer: to a folder of ours, or a file of another library by its suffix.

        Suffixes are ``.json`` (tokenizers), ``.model`` (SentencePiece), ``.tiktoken`` and ``.txt`` (BERT's vocabulary).
        Such a file is loaded in its library; raises GristmillError if it gives other ids than this tokenizer.

        >>> gm.Tokenizer.load("tokenizer").save("tokenizer.json")
        >>> gm.Tokenizer.load("tokenizer.json").encode("mill") == gm.Tokenizer.load("tokenizer").encode("mill")
        True
        """
        from gristmill.tokenizers_lab.verify_export import export_tokenizer

        target = to_path(path)
        if target.suffix not in FORMATS:
            return finish_model(self.model, target)
        check = export_tokenizer(self.model, FORMATS[target.suffix], target)
        if check.same < check.texts:
            found = f"{check.library} gives other ids for {check.texts - check.same} of {check.texts} texts"
            raise GristmillError(f"{target}: {found}, first for {check.first[:200]!r}")

    def __len__(self) -> int:
        return self.model.size

    def __repr__(self) -> str:
        if self.backend != "gristmill":
            return f"Tokenizer({len(self):,} pieces, backend {self.backend})"
        return f"Tokenizer({self.model.algorithm}, {len(self):,} pieces, pre-tokenizer {self.model.pretokenizer})"


def tokenize(
    corpus: Paths,
    tokenizer: Path | Tokenizer,
    output: Path = "tokens",
    *,
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> "TokenShards":
    """Encode the documents of a run or corpus as token shards: shuffled, split, mixed by source.

    ``settings`` are those of `gristmill tokenize`, such as ``tokens.validation``.

    >>> gm.tokenize("work", "tokenizer", "tokens").manifest.counts["documents"]
    2
    """
    from gristmill.flows.tokenize.tokenize_corpus import WORK, token_settings
    from gristmill.flows.tokenize.tokenize_corpus import tokenize as tokenize_corpus

    wanted, folder = token_settings(changes_of(settings)), to_path(output)
    if isinstance(tokenizer, Tokenizer):
        named = folder / WORK / "tokenizer"
        finish_model(tokenizer.model, named)
        tokenizer = str(named)
    with running(folder / WORK, engine, workers, progress) as (opened, bar):
        return tokenize_corpus(paths_of(corpus), path_of(tokenizer), folder, wanted, opened, bar)
