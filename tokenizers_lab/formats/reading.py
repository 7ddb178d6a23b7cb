"""Result of a reader of another library's tokenizers."""

from collections.abc import Callable
from typing import NamedTuple

from gristmill.tokenizers_lab.formats.model import Model


class Unsupported(Exception):
    """Part of a tokenizer that has no form of ours; the message says which."""


class Reading(NamedTuple):
    """Tokenizer of a file, and how far it is ours."""

    model: Model
    library: str  # that reads the file: tokenizers, sentencepiece or tiktoken
    data: bytes  # the file, as that library takes it
    why: str = ""  # why the library encodes; "" if the model does
    notes: tuple[str, ...] = ()  # settings of the file that are not applied
    in_library: Callable[[], Model] | None = None  # the model that the library runs, if ours should differ
