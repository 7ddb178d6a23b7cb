"""Load a tokenizer of any format, by the name of its file."""

from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, naming
from gristmill.tokenizers_lab.formats.huggingface import from_huggingface
from gristmill.tokenizers_lab.formats.model import FILE, Model, read_model
from gristmill.tokenizers_lab.formats.sentencepiece import from_sentencepiece
from gristmill.tokenizers_lab.formats.tiktoken import from_tiktoken

IN_FOLDERS = (FILE, "tokenizer.json", "tokenizer.model")


def load_any(path: UPath, pretokenizer: str | None = None, special: dict[str, int] | None = None) -> Model:
    """Load the tokenizer in a folder or a file, ours or another library's. Raises InputError if it cannot be read.

    ``pretokenizer`` and ``special`` (text -> id) belong to a .tiktoken file, which names neither.
    """
    files = [path / name for name in IN_FOLDERS if (path / name).exists()] if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds none of {', '.join(IN_FOLDERS)}")
    file = files[0]
    if not file.is_file():
        raise InputError(f"{file} is not a file; expected tokenizer.json, a .tiktoken file or a SentencePiece .model")
    if file.name == FILE:
        return read_model(file)
    data = file.read_bytes()
    with naming(file):
        if file.suffix == ".json":
            return from_huggingface(data)
        if file.suffix == ".model":
            return from_sentencepiece(data)
        if file.suffix != ".tiktoken":
            raise InputError("expected a name that ends in .json, .tiktoken or .model")
        if pretokenizer is None:
            raise RecipeError("a .tiktoken file names no pre-tokenizer; name it with --pretokenizer")
        return from_tiktoken(data, pretokenizer, special or {})
