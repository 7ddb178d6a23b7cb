"""tekken.json, Mistral's tokenizers since 2024: ranks of byte pieces, with the special tokens before them.

The pieces beyond ``default_vocab_size`` are not used, and special tokens without a name are ``<SPECIAL_n>``
(mistralai/mistral-common, tokens/tokenizers/tekken.py).
"""

import base64
import binascii
from typing import Any

from pydantic import ConfigDict

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.tokenizers_lab.formats.model import Model, known_roles
from gristmill.tokenizers_lab.formats.parse import parse
from gristmill.tokenizers_lab.formats.reading import Reading
from gristmill.tokenizers_lab.pretokenize import PATTERNS

NAMES = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
)  # of files that do not list them


class Config(Settings):
    """Table ``config``."""

    model_config = ConfigDict(extra="ignore")

    pattern: str
    default_vocab_size: int
    default_num_special_tokens: int


class Special(Settings):
    """Entry of ``special_tokens``."""

    model_config = ConfigDict(extra="ignore")

    rank: int
    token_str: str


class Entry(Settings):
    """Entry of ``vocab``."""

    model_config = ConfigDict(extra="ignore")

    rank: int
    token_bytes: str


class Tekken(Settings):
    """File ``tekken.json``, as far as it is read."""

    model_config = ConfigDict(extra="ignore")

    config: Config
    vocab: list[Entry]
    special_tokens: list[Special] | None = None


def read_tekken(data: bytes) -> Reading:
    """Return the tokenizer of a file. Raises InputError if it is damaged."""
    table: Any = parse(data)
    file = read_settings(Tekken, table, "tekken.json")
    before = file.config.default_num_special_tokens
    count = file.config.default_vocab_size - before
    if not 0 <= before <= 1 << 16 or not 0 <= count <= len(file.vocab):
        raise InputError(
            f"the file has {len(file.vocab):,} pieces, expected {count:,} besides {before:,} special tokens"
        )
    named = dict(enumerate(NAMES[:before]))
    if file.special_tokens is not None:
        named = {special.rank: special.token_str for special in file.special_tokens}
    if named and not 0 <= min(named) <= max(named) < before:
        raise InputError(f"a special token has rank {max(named):,}, expected 0 to {before - 1:,}")
    special = {named.get(rank, f"<SPECIAL_{rank}>"): rank for rank in range(before)}
    pieces = [name.encode() for name in special]
    for rank, entry in enumerate(file.vocab[:count]):
        if entry.rank != rank:
            raise InputError(f"piece {rank:,} has rank {entry.rank:,}; expected ranks in order")
        try:
            pieces.append(base64.b64decode(entry.token_bytes, validate=True))
        except binascii.Error:
            raise InputError(f"piece {rank:,} is {entry.token_bytes[:60]!r}, expected bytes in base64") from None
    pattern = file.config.pattern
    name = next((name for name, known in PATTERNS.items() if known == (pattern,)), f"regex:{pattern}")
    model = Model("bpe", name, pieces, special=special, roles=known_roles(special), ignore_merges=True, by_piece=True)
    return Reading(model, "tiktoken", data)
