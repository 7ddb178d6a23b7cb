"""Tokenizers: load any format, train, encode, decode, save; and the token shards of a corpus."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import polars as pl
import pyarrow as pa

from gristmill.flows.tokenize.tokenize_corpus import WORK, token_settings
from gristmill.flows.tokenize.tokenize_corpus import tokenize as tokenize_corpus
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.options import Path, Paths, Settings, changes_of, path_of, paths_of, running
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.tokenizers_lab.formats.detect import load_any
from gristmill.tokenizers_lab.formats.model import Model, finish_model
from gristmill.tokenizers_lab.tokenizer import Tokenizer as Codec
from gristmill.tokenizers_lab.verify_export import export_tokenizer

FORMATS = {".json": "hf", ".model": "sentencepiece", ".tiktoken": "tiktoken", ".txt": "bert"}
Texts: TypeAlias = "Sequence[str] | pl.Series | pa.Array | pa.ChunkedArray"


class Tokenizer:
    """Tokenizer in use. Special tokens in a text are text, unless they are allowed by name.

    >>> tokenizer = gm.Tokenizer.load("tokenizer")
    >>> tokenizer
    Tokenizer(bpe, 300 pieces, pre-tokenizer o200k)
    >>> tokenizer.decode(tokenizer.encode("The mill grinds."))
    'The mill grinds.'
    """

    def __init__(self, model: Model):
        self._codec, self.model = Codec(model), model

    @classmethod
    def load(
        cls, path: Path, *, pretokenizer: str | None = None, special: Mapping[str, int] | None = None
    ) -> "Tokenizer":
        """Load a tokenizer: a folder of ours, ``tokenizer.json``, SentencePiece's ``.model``, or ``.tiktoken``.

        A ``.tiktoken`` file names neither its pre-tokenizer nor its special tokens. Raises GristmillError for a file
        that cannot be read, or would give other ids than its own library.

        >>> len(gm.Tokenizer.load("tokenizer"))
        300
        """
        return cls(load_any(to_path(path), pretokenizer, dict(special or {})))

    @classmethod
    def train(
        cls,
        corpus: Paths,
        output: Path = "tokenizer",
        vocab_size: int = 32_000,
        *,
        algorithm: Literal["bpe", "wordpiece", "unigram", "words", "chars"] = "bpe",
        pretokenizer: str | None = None,
        special: Sequence[str] | None = None,
        user_symbols: Sequence[str] = (),
        normalizers: Sequence[str] | None = None,
        settings: Settings | None = None,
        engine: str = "processes",
        workers: int | None = None,
        progress: bool | None = None,
    ) -> "Tokenizer":
        """Train a tokenizer on a run, Parquet, JSONL or text; write it to the folder ``output``.

        None means the default of the algorithm. ``settings`` are of the tables bpe, unigram, wordpiece and roles, such
        as ``bpe.min_frequency``. The word counts remain in ``output``, so another vocabulary size counts nothing again.

        >>> gm.Tokenizer.train("work", "trained", vocab_size=280)
        Tokenizer(bpe, 280 pieces, pre-tokenizer o200k)
        """
        given: dict[str, Any] = {"algorithm": algorithm, "pretokenizer": pretokenizer, "vocab_size": vocab_size}
        lists = {"special_tokens": special, "user_symbols": user_symbols, "normalizers": normalizers}
        given |= {name: None if each is None else [*each] for name, each in lists.items()}
        wanted, folder = tokenizer_settings(given, changes_of(settings)), to_path(output)
        with running(folder / WORK, engine, workers, progress) as (opened, bar):
            return cls(train_tokenizer(paths_of(corpus), folder, wanted, opened, bar))

    def encode(self, text: str, allow: Iterable[str] | Literal["all"] = ()) -> list[int]:
        """Return the ids of a text; special tokens in ``allow`` are recognized in it.

        >>> gm.Tokenizer.load("tokenizer").encode("<|endoftext|>", allow="all")
        [0]
        """
        return self._codec.encode(text, allow)

    def encode_batch(self, texts: Texts) -> list[list[int]]:
        """Return the ids of each text.

        >>> [len(ids) for ids in gm.Tokenizer.load("tokenizer").encode_batch(["", "a"])]
        [0, 1]
        """
        return self.encode_arrow(texts).to_pylist()

    def encode_arrow(self, texts: Texts) -> pa.LargeListArray:
        """Return the ids of each text as an Arrow column, without an object per id: for many texts.

        >>> gm.Tokenizer.load("tokenizer").encode_arrow(["a"]).type
        LargeListType(large_list<item: uint16>)
        """
        if isinstance(texts, pl.Series):
            texts = texts.to_arrow()
        arrow = isinstance(texts, pa.Array | pa.ChunkedArray)
        return self._codec(Ragged.from_text(texts) if arrow else Ragged.from_strings([*texts])).to_lists()

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that make no character become U+FFFD. Raises InputError for an unknown id.

        >>> gm.Tokenizer.load("tokenizer").decode([0])
        '<|endoftext|>'
        """
        return self._codec.decode_ids(ids)

    def decode_batch(self, batch: Iterable[Iterable[int]]) -> list[str]:
        """Return the text of each list of ids.

        >>> tokenizer = gm.Tokenizer.load("tokenizer")
        >>> tokenizer.decode_batch(tokenizer.encode_batch(["one", "two"]))
        ['one', 'two']
        """
        return [self.decode(ids) for ids in batch]

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
        target = to_path(path)
        if target.suffix not in FORMATS:
            return finish_model(self.model, target)
        try:
            check = export_tokenizer(self.model, FORMATS[target.suffix], target)
        except ModuleNotFoundError as error:
            raise GristmillError(f"{target} needs {error.name}: pip install {error.name}") from None
        if check.same < check.texts:
            found = f"{check.library} gives other ids for {check.texts - check.same} of {check.texts} texts"
            raise GristmillError(f"{target}: {found}, first for {check.first[:200]!r}")

    def __len__(self) -> int:
        return self.model.size

    def __repr__(self) -> str:
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
) -> TokenShards:
    """Encode the documents of a run or corpus as token shards: shuffled, split, mixed by source.

    ``settings`` are those of `gristmill tokenize`, such as ``tokens.validation``.

    >>> gm.tokenize("work", "tokenizer", "tokens").manifest.counts["documents"]
    2
    """
    wanted, folder = token_settings(changes_of(settings)), to_path(output)
    if isinstance(tokenizer, Tokenizer):
        named = folder / WORK / "tokenizer"
        finish_model(tokenizer.model, named)
        tokenizer = str(named)
    with running(folder / WORK, engine, workers, progress) as (opened, bar):
        return tokenize_corpus(paths_of(corpus), path_of(tokenizer), folder, wanted, opened, bar)
