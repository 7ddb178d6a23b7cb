"""Arms that sample the full recipe's documents with weights: by the size of their cluster, or by a score.

IMPACT/chosen/NAME/  the documents, with the number of their copies in place of the size of their cluster
"""

import math
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.flows.clean.plan import bytes_of
from gristmill.pipelines.errors import RecipeError, shown
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import CLUSTER_SIZE, DOCUMENT, DOCUMENTS, ID, TEXT
from gristmill.pipelines.steps.step import Input, Output, Step, Written, by_shard, input_of
from gristmill.pipelines.storage.shards import list_shards, read_batches, shard_schema, shards_of, write_shard
from gristmill.pipelines.tokens.mixing import count_copies, weights
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.shuffle import scramble

COPIED = DOCUMENT.append(pa.field(CLUSTER_SIZE, pa.int64()))
COPY = 8  # salt of the hash that rounds a weight up or down


class Sampling(NamedTuple):
    """Weights of documents by a column of the clean documents."""

    column: str
    upsample: tuple[tuple[int, float], ...] = ()  # cluster size -> weight, as in tokens.upsample
    temperature: float = 0.0  # of weights in proportion to exp(score / temperature); 0: upsample decides
    max_copies: float = 0.0

    def table(self) -> dict:
        return {key: value for key, value in self._asdict().items() if value}

    def tokens(self, settings: TokenSettings) -> TokenSettings:
        """Return the settings that copy each document as often as its number in CLUSTER_SIZE."""
        most = math.ceil(self.max_copies or max(1.0, *(weight for _, weight in self.upsample)))
        return settings.model_copy(update={"upsample": {k: float(k) for k in range(1, most + 1)}})

    def weigh(self, values: np.ndarray, moments: "Moments") -> np.ndarray:
        """Return the weight of each document, float64 [n]; one without a score (NaN) counts as an average one."""
        if self.upsample:
            return weights(np.nan_to_num(values, nan=1.0), dict(self.upsample))
        return np.minimum(self.max_copies, np.exp(moments.exponents(values, self.temperature) - moments.log_mean))


class Moments(NamedTuple):
    """Mean and standard deviation of the scores of a corpus, and the logarithm of the mean weight of its bytes."""

    mean: float = 0.0
    sd: float = 1.0
    log_mean: float = 0.0

    def exponents(self, scores: np.ndarray, temperature: float) -> np.ndarray:
        """Return standardized scores by the temperature, float64 [n]; 0 without a score."""
        return np.nan_to_num((scores - self.mean) / (self.sd or 1.0)) / temperature

    @classmethod
    def of(cls, scores: np.ndarray, sizes: np.ndarray, temperature: float) -> "Moments":
        """Return those of scores, float64 [n], and sizes in bytes: the sample is about as large as the corpus.

        >>> Moments.of(np.array([1.0, 3.0, np.nan]), np.array([1, 1, 0]), 1.0).mean
        2.0
        """
        known = scores[np.isfinite(scores)]
        found = cls(float(known.mean()), float(known.std())) if known.size else cls()
        exponents = found.exponents(scores, temperature)
        top = float(exponents.max(initial=0.0))
        mean = float((np.exp(exponents - top) * sizes).sum() / max(1, sizes.sum()))
        return found._replace(log_mean=top + math.log(mean) if mean else 0.0)


def sample_step(documents: UPath, folder: UPath, sampling: Sampling) -> Step:
    """Return the step that writes the sampled documents; raise RecipeError if the column holds no numbers."""
    for shard in list_shards(documents)[:1]:
        kind = shard_schema(shard).field(sampling.column).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            raise RecipeError(f"[arms.weighted] by: {shown(sampling.column)} is {kind}; expected a column of numbers")
    moments = Moments()
    if sampling.temperature:
        scored = [(np.zeros(0), np.zeros(0))]
        for shard in list_shards(documents):
            scored += [_scored(table, sampling) for table in read_batches(shard, [TEXT, sampling.column])]
        scores, sizes = map(np.concatenate, zip(*scored, strict=True))
        moments = Moments.of(scores, sizes, sampling.temperature)
    about = {**sampling.table(), **moments._asdict()}
    output = Output(folder, "", (Input(documents, kind=DOCUMENTS),), about)
    jobs = by_shard(sample_shard, (sampling, moments), [output], bytes_of(shards_of(documents)))
    return Step(f"sample {folder.name}", {folder: sampling.table()}, jobs)


def _scored(table: pa.Table, sampling: Sampling) -> tuple[np.ndarray, np.ndarray]:
    """Return the column as float64 [n], with NaN for null, and the bytes of the texts."""
    return table[sampling.column].cast(pa.float64()).to_numpy(), np.diff(Ragged.from_text(table[TEXT]).offsets)


def sample_shard(sampling: Sampling, moments: Moments, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the documents of one shard that have a copy; the hash of the id rounds a weight up or down."""
    tables, size = [], 0
    for table in read_batches(input_of(outputs, DOCUMENTS).path, [*DOCUMENT.names, sampling.column]):
        values, sizes = _scored(table, sampling)
        hashes = scramble(hash_rows(*Ragged.from_text(table[ID])), COPY)
        copies = count_copies(sampling.weigh(values, moments), hashes)
        size += int(sizes[copies > 0].sum())
        copied = table.select(DOCUMENT.names).append_column(CLUSTER_SIZE, pa.array(copies))
        tables.append(copied.filter(pa.array(copies > 0)).cast(COPIED))
    rows = write_shard(outputs[0].path, tables, COPIED)
    return [Written([outputs[0].path.name], {"documents": rows, "bytes": size})]
