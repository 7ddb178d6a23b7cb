"""How documents become token shards."""

from typing import Literal

from pydantic import Field

from gristmill.pipelines.settings import Settings

TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)


class TokenSettings(Settings):
    """Where sequences begin and end, how documents are shared out, mixed and shuffled."""

    add_special: Literal["prepend", "append", "both", "none"] = "prepend"  # of the tokenizer's BOS and EOS ids
    validation: float = Field(0.01, ge=0, lt=1)  # share of documents, by the hash of their ids: the same ones always
    tokens_per_shard: int = Field(100_000_000, ge=1)  # about; a document is never cut
    seed: int = Field(0, ge=0)  # of the order of documents
    weights: dict[str, float] = {}  # source -> share of the training tokens; others share what is left by their size
    temperature: float = Field(1.0, gt=0)  # shares without a weight go by tokens ** (1 / temperature)
    epochs: dict[str, float] = {}  # source -> how often its documents come, in place of a share
    max_epochs: float = Field(4.0, gt=0)  # of any source, by its share
    train_tokens: int | None = Field(None, ge=1)  # of training in all; without it, as many as no source comes again for
