"""Fields of a tokenizer's file, checked when it is read."""

from pydantic import ConfigDict

from gristmill.pipelines.settings import Settings


class Added(Settings):
    """AddedToken in a tokenizer's file."""

    content: str
    id: int
    special: bool
    lstrip: bool
    rstrip: bool
    normalized: bool


class Head(Settings):
    """Fields of a tokenizer's file without pieces, merges and scores."""

    model_config = ConfigDict(extra="ignore")

    algorithm: str
    pretokenizer: str
    alphabet: str
    normalizers: list[str]
    part_normalizers: list[str]
    charsmap: str
    added: list[Added]
    user_symbols: list[int]
    special: dict[str, int]
    roles: dict[str, str]
    bytes_from: int | None
    ignore_merges: bool
    by_piece: bool
    prefix: str
    max_input_chars_per_word: int
    original: str
