"""Settings of token shards."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from gristmill.pipelines.settings import Settings

TRAIN, VALIDATION = "train", "validation"
SPLITS = (TRAIN, VALIDATION)
ExportFormat = Literal["nanogpt", "llmc", "megatron", "datatrove", "olmo", "litdata", "mds"]
DocumentFormat = Literal["jsonl.zst", "datasets"]


def _numbers(table: Any) -> Any:
    """Return a table whose keys are numbers: in TOML and JSON they are strings."""
    if not isinstance(table, dict):
        return table
    return {int(key) if isinstance(key, str) and key.isdecimal() else key: value for key, value in table.items()}


Upsample = Annotated[
    dict[Annotated[int, Field(ge=1, lt=2**63)], Annotated[float, Field(ge=0, le=1000)]], BeforeValidator(_numbers)
]


class TokenSettings(Settings):
    """Settings of token shards: boundaries, splits, mixture and order of documents."""

    add_special: Literal["prepend", "append", "both", "none"] = "prepend"  # BOS before, EOS after each document
    # Chat template for documents with roles: a shipped one, or a file of Jinja. None: their text without markup.
    template: str | None = None
    loss: Literal["answers", "all"] = "answers"  # tokens of these documents that a model learns
    validation: float = Field(0.01, ge=0, lt=1)  # share of documents held out, by the hash of their ids
    tokens_per_shard: int = Field(100_000_000, ge=1)  # on average; documents are never split
    seed: int = Field(0, ge=0, lt=2**64)  # of the order of documents
    weights: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # source -> share of the training tokens
    # Other sources share the rest in proportion to tokens ** (1 / temperature), which overflows below 0.05.
    temperature: float = Field(1.0, ge=0.05, le=1e9)
    epochs: dict[
        str, Annotated[float, Field(ge=0, le=1000)]
    ] = {}  # source -> copies of its documents, without a weight
    # Cluster size -> copies of a document that stands for this number or more; without an entry one copy.
    upsample: Upsample = {}
    max_epochs: float = Field(4.0, gt=0, le=1000)  # limit for sources with a share
    train_tokens: int | None = Field(None, ge=1)  # None: the most that repeats no document

    @model_validator(mode="after")
    def _shares_fit(self) -> "TokenSettings":
        if sum(self.weights.values()) > 1 + 1e-9:
            raise ValueError(f"weights add up to {sum(self.weights.values()):g}, expected at most 1")
        if both := sorted(self.weights.keys() & self.epochs.keys()):
            raise ValueError(f"source {both[0]!r} has both a weight and epochs; keep one of them")
        return self


class ExportSettings(Settings):
    """Settings of the export of token shards to other trainers, and of clean documents to other programs."""

    formats: list[ExportFormat] = []  # trainers that read the token shards
    documents: list[DocumentFormat] = []  # of the clean documents
    license: str = "unknown"  # of the documents: identifier on the Hub

    @model_validator(mode="after")
    def _something(self) -> "ExportSettings":
        if not self.formats and not self.documents:
            raise ValueError('nothing to export; add formats = ["nanogpt"] or documents = ["jsonl.zst"]')
        return self
