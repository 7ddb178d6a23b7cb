"""Find the tokenizer in a folder, and read a file of any format: by what it holds, and for text by its name."""

from collections.abc import Mapping

import orjson
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.tokenizers_lab.formats.huggingface_read import read_huggingface
from gristmill.tokenizers_lab.formats.model import FILE
from gristmill.tokenizers_lab.formats.reading import Reading
from gristmill.tokenizers_lab.formats.sentencepiece import read_sentencepiece
from gristmill.tokenizers_lab.formats.tekken import read_tekken
from gristmill.tokenizers_lab.formats.tiktoken import from_tiktoken
from gristmill.tokenizers_lab.formats.vocab_txt import read_vocab_txt

IN_FOLDERS = (FILE, "tokenizer.json", "tekken.json", "tokenizer.model", "tokenizer.model.v*", "vocab.txt")
CONFIG = "tokenizer_config.json"  # beside a vocab.txt
KINDS = "tokenizer.json, tekken.json, a .tiktoken file, a SentencePiece .model or a vocab.txt"


def find_file(path: UPath) -> UPath:
    """Return the file of a tokenizer: the path, or in a folder the first of the known names. Raises InputError."""
    if not path.is_dir():
        if not path.is_file():
            raise InputError(f"{path} is not a file; expected {KINDS}")
        return path
    for name in IN_FOLDERS:
        if found := sorted(path.glob(name)):
            return found[0]
    raise InputError(f"{path} holds none of {', '.join(IN_FOLDERS)}")


def read_file(file: UPath, pretokenizer: str | None = None, special: Mapping[str, int] | None = None) -> Reading:
    """Read a tokenizer of another library. Raises InputError for a file that is damaged or none.

    ``pretokenizer`` and ``special`` (text -> id) belong to a .tiktoken file, which names neither.
    """
    data = file.read_bytes()
    if file.suffix == ".txt":
        return read_vocab_txt(data, file.parent / CONFIG)
    if file.suffix == ".tiktoken":
        if pretokenizer is None:
            raise RecipeError("a .tiktoken file names no pre-tokenizer; name it with --pretokenizer")
        return Reading(from_tiktoken(data, pretokenizer, dict(special or {})), "tiktoken", data)
    if pretokenizer is not None or special:
        raise RecipeError("a pre-tokenizer and special tokens can be named for a .tiktoken file only")
    if file.suffix == ".json":
        return read_tekken(data) if _is_tekken(data) else read_huggingface(data)
    if ".model" in file.suffixes or data[:1] == b"\x0a":
        return read_sentencepiece(data)
    raise InputError(f"the file is of no known kind; expected {KINDS}")


def _is_tekken(data: bytes) -> bool:
    try:
        table = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return isinstance(table, dict) and "model" not in table and "config" in table and "vocab" in table
