"""Export tokenizers to other libraries, where each export is loaded and its ids compared."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import atomic_write
from gristmill.tokenizers_lab.battery import sample
from gristmill.tokenizers_lab.encode.library import load_tokenizers, missing
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.formats.sentencepiece import to_sentencepiece
from gristmill.tokenizers_lab.formats.tiktoken import to_tiktoken
from gristmill.tokenizers_lab.originals import tiktoken_original
from gristmill.tokenizers_lab.tokenizer import Tokenizer


class ExportCheck(NamedTuple):
    """Comparison of another library's ids with ours."""

    library: str
    texts: int
    same: int
    first: str  # the first text whose ids differ, "" if none


def export_tokenizer(model: Model, kind: str, output: UPath, corpus: Sequence[str] = ()) -> ExportCheck:
    """Write the file, load it in its library, and encode the sample with both."""
    try:
        data = WRITERS[kind](model)
        library, encode = CLIENTS[kind](data, model)
    except ModuleNotFoundError as error:
        raise missing(error.name or kind, f"a file of format {kind}") from None
    with atomic_write(output) as target:
        target.write(data)
    ours, texts = Tokenizer(model), sample(corpus)
    rows = ours(Ragged.from_strings(texts))
    wanted = [rows.data[a:b].tolist() for a, b in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]
    differ = [text for text, ids in zip(texts, wanted, strict=True) if encode(text) != ids]
    return ExportCheck(library, len(texts), len(texts) - len(differ), differ[0] if differ else "")


def to_bert(model: Model) -> bytes:
    """Return a vocab.txt, with a piece per line. Raises RecipeError for a model that it cannot express."""
    if model.algorithm != "wordpiece" or model.prefix != "##":
        raise RecipeError("a vocab.txt holds only WordPiece with the prefix ##")
    if any(piece.strip() != piece or b"\n" in piece for piece in model.pieces):
        raise RecipeError("a piece has white space at its ends, which a vocab.txt cannot hold")
    return b"".join(piece + b"\n" for piece in model.pieces)


def _hf(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    theirs = load_tokenizers(data)
    theirs.encode_special_tokens = True
    return "tokenizers", lambda text: theirs.encode(text, add_special_tokens=False).ids


def _bert(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    return "tokenizers", _hf(to_huggingface(model), model)[1]


def _tiktoken(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    original = tiktoken_original(model)
    return "tiktoken", lambda text: original.encode([text], False)[0]


def _sentencepiece(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    from sentencepiece import SentencePieceProcessor

    return "sentencepiece", SentencePieceProcessor(model_proto=data).encode


WRITERS = {"hf": to_huggingface, "tiktoken": to_tiktoken, "sentencepiece": to_sentencepiece, "bert": to_bert}
CLIENTS = {"hf": _hf, "tiktoken": _tiktoken, "sentencepiece": _sentencepiece, "bert": _bert}
