"""Load a tokenizer of any format, by the name of its file."""

from upath import UPath

from gristmill.pipelines.errors import InputError, naming
from gristmill.tokenizers_lab.formats.huggingface import from_huggingface
from gristmill.tokenizers_lab.formats.model import FILE, Model, read_model

HF = "tokenizer.json"


def load_any(path: UPath) -> Model:
    """Load the tokenizer in a folder or a file, ours or another library's. Raises InputError if it cannot be read."""
    files = [path / name for name in (FILE, HF) if (path / name).exists()] if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds neither {FILE} nor {HF}")
    if files[0].name == FILE:
        return read_model(files[0])
    with naming(files[0]):
        return from_huggingface(files[0].read_bytes())
