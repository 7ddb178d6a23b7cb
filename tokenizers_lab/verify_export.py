"""Export tokenizers to other libraries, where each export is loaded and its ids compared, and import theirs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.tokenizers_lab.formats.detect import load_any
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import Model, finish_model
from gristmill.tokenizers_lab.formats.sentencepiece import to_sentencepiece
from gristmill.tokenizers_lab.formats.tiktoken import to_tiktoken
from gristmill.tokenizers_lab.pretokenize import PATTERNS, RegexSplit
from gristmill.tokenizers_lab.tokenizer import Tokenizer

SAMPLE_BYTES = 5_000_000
SAMPLE_SENTENCES = [
    *("", " ", "The mill grinds slowly, but it grinds.", "  two  spaces, a\ttab\nand lines\n\n"),
    *("I'll they'RE 1234567 3.14", "def f(x): return x**2", "naïve café Straße", "Привет, мир", "漢字かな交じり文"),
    *("안녕하세요", "สวัสดีชาวโลก", "مرحبا بالعالم", "\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea"),
]


class ExportCheck(NamedTuple):
    """Comparison of another library's ids with ours."""

    library: str
    texts: int
    same: int
    first: str  # the first text whose ids differ, "" if none


def export_tokenizer(model: Model, kind: str, output: UPath, corpus: Sequence[str] = ()) -> ExportCheck:
    """Write the file, load it in its library, and encode the sample with both."""
    data = WRITERS[kind](model)
    with atomic_write(output) as target:
        target.write(data)
    library, encode = CLIENTS[kind](data, model)
    ours, texts = Tokenizer(model), sample(corpus)
    rows = ours(Ragged.from_strings(texts))
    wanted = [rows.data[a:b].tolist() for a, b in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]
    differ = [text for text, ids in zip(texts, wanted, strict=True) if encode(text) != ids]
    return ExportCheck(library, len(texts), len(texts) - len(differ), differ[0] if differ else "")


def sample(corpus: Sequence[str]) -> list[str]:
    """Return a few sentences in many scripts, and the first megabytes of a corpus."""
    texts, size = [*SAMPLE_SENTENCES], 0
    for table in read_documents([*corpus], InputSettings()) if corpus else ():
        for text in table[TEXT].to_pylist():
            if size < SAMPLE_BYTES:
                texts.append(text)
                size += len(text)
    return texts


def to_bert(model: Model) -> bytes:
    """Return a vocab.txt, with a piece per line. Raises RecipeError for a model that it cannot express."""
    if model.algorithm != "wordpiece" or model.prefix != "##":
        raise RecipeError("a vocab.txt holds only WordPiece with the prefix ##")
    if any(piece.strip() != piece or b"\n" in piece for piece in model.pieces):
        raise RecipeError("a piece has white space at its ends, which a vocab.txt cannot hold")
    return b"".join(piece + b"\n" for piece in model.pieces)


def _hf(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    from tokenizers import Tokenizer as Theirs

    theirs = Theirs.from_str(data.decode())
    return "tokenizers", lambda text: theirs.encode(text, add_special_tokens=False).ids


def _bert(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    return "tokenizers", _hf(to_huggingface(model), model)[1]


def _tiktoken(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    from tiktoken import Encoding

    patterns = (
        (split.pattern,) if (split := RegexSplit.of(model.pretokenizer)) else PATTERNS.get(model.pretokenizer, ())
    )
    if len(patterns) != 1:
        raise RecipeError(f"tiktoken splits by one regex, which the pre-tokenizer {model.pretokenizer!r} does not have")
    ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special_ids}
    theirs = Encoding("exported", pat_str=patterns[0], mergeable_ranks=ranks, special_tokens=model.special)
    return "tiktoken", theirs.encode_ordinary


def _sentencepiece(data: bytes, model: Model) -> tuple[str, Callable[[str], list[int]]]:
    from sentencepiece import SentencePieceProcessor

    return "sentencepiece", SentencePieceProcessor(model_proto=data).encode


WRITERS = {"hf": to_huggingface, "tiktoken": to_tiktoken, "sentencepiece": to_sentencepiece, "bert": to_bert}
CLIENTS = {"hf": _hf, "tiktoken": _tiktoken, "sentencepiece": _sentencepiece, "bert": _bert}


def import_tokenizer(file: str, output: str, pretokenizer: str | None, special: Sequence[str]) -> Model:
    """Read a tokenizer file, by its suffix, and write ours."""
    model = load_any(to_path(file), pretokenizer, dict(map(_parse_token, special)))
    finish_model(model, to_path(output))
    return model


def _parse_token(given: str) -> tuple[str, int]:
    token, _, id = given.rpartition("=")
    if not token or not id.isdigit():
        raise RecipeError(f"--special: expected TOKEN=ID, found {given!r}")
    return token, int(id)
