"""Samples of a run's documents by language and fold, from which n-gram models are trained.

The documents that earlier steps kept are put into two folds by the hash of their ids. From each language and fold, the
documents with the lowest hashes are sampled, so that the sample depends on neither shards nor workers.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.filters.langid.labels import UNKNOWN
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import MANIFEST, fingerprint
from gristmill.pipelines.storage.shards import read_shard, write_measures

N_FOLDS = 2
DIGESTS = ".json"  # suffix of the file beside a shard of sampled texts
SAMPLE = "sample"  # stage
MODEL_KEY = ["language", "fold"]
SIZES = {"bytes": pl.Int64, "characters": pl.Int64}
NO_SAMPLE = pl.DataFrame(schema={"language": pl.String, **SIZES, "fold": pl.Int64, "hash": pl.UInt64})
SAMPLED = pa.schema([("language", pa.string()), ("fold", pa.int64()), (TEXT, pa.large_string())])


def select_sample(sample_bytes: int, min_characters: int, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write SAMPLE, for each language and fold with enough text the sampled bytes and the last sampled hash.

    The other outputs list the documents of each shard that are in a language.
    """
    wanted, wrote = {output.name: output.path for output in outputs}, {}
    sample, new, n_new = NO_SAMPLE, [], 0
    for part in corpus.parts:
        some = list_documents(corpus, part).filter(pl.col("language") != UNKNOWN)
        if part in wanted:
            wrote[part] = write_table(wanted[part], [some.drop("characters").to_arrow()])
        new.append(_lowest(some.filter("kept").select(NO_SAMPLE.columns), sample_bytes))
        n_new += new[-1].height
        if n_new > sample.height:  # so that the sample is sorted when it may have doubled, not for each shard
            sample, new, n_new = _lowest(pl.concat([sample, *new]), sample_bytes), [], 0
    sample = _lowest(pl.concat([sample, *new]), sample_bytes)
    found = sample.group_by(MODEL_KEY).agg(pl.col(*SIZES).sum(), pl.col("hash").max().alias("last"))
    enough = (pl.col("characters") >= min_characters).all().over("language") & (pl.len().over("language") == N_FOLDS)
    if SAMPLE in wanted:
        found = found.filter(enough).drop("characters").sort(MODEL_KEY)
        wrote[SAMPLE] = write_table(wanted[SAMPLE], [found.to_arrow()])
    return [wrote[name] for name in wanted]


def _lowest(documents: pl.DataFrame, sample_bytes: int) -> pl.DataFrame:
    """Return of each language and fold the documents with the lowest hashes, up to ``sample_bytes`` of text."""
    before = pl.col("bytes").cum_sum().over(MODEL_KEY) - pl.col("bytes")
    return documents.sort("hash").filter(before < sample_bytes)


def selected(made: UPath) -> pl.DataFrame:
    """Return language, fold, bytes and last hash of each model."""
    return pl.DataFrame(read_shard(made / SAMPLE / f"{SAMPLE}.parquet"))


def listed(made: UPath, part: str) -> pl.DataFrame:
    """Return the documents of a shard whose language has models: row, language, bytes, fold, kept, sampled."""
    documents = pl.DataFrame(read_shard(made / SAMPLE / f"{part}.parquet"))
    found = documents.join(selected(made).drop("bytes"), on=MODEL_KEY).sort("row")
    return found.with_columns(sampled=pl.col("kept") & (pl.col("hash") <= pl.col("last"))).drop("hash", "last")


def digest_rows(documents: pl.DataFrame) -> dict[tuple[str, int], str]:
    """Return a digest of the rows of documents, by language and fold in ascending order."""
    groups = documents.group_by(MODEL_KEY).agg(pl.col("row").sort()).sort(MODEL_KEY)
    keys, rows = groups.select(MODEL_KEY).rows(), groups["row"]
    return {key: hashlib.sha256(mine.to_numpy().tobytes()).hexdigest() for key, mine in zip(keys, rows, strict=True)}


def write_sample(corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the sampled documents of a shard, one row group per model, and a digest of each group's texts."""
    (part,) = corpus.parts
    mine = listed(corpus.stage_folder, part).filter("sampled")
    texts = [text.to_text() for text in corpus.texts(part, mine["row"].to_numpy())]
    found = mine.select(MODEL_KEY).to_arrow().append_column(TEXT, pa.chunked_array(texts, pa.large_string()))
    groups = mine.with_row_index().group_by(MODEL_KEY).agg("index").sort(MODEL_KEY)
    tables = [found.take(rows.to_arrow()) for rows in groups["index"]]
    wrote, digests = write_table(outputs[0].path, tables, SAMPLED), outputs[0].path.with_suffix(DIGESTS)
    with atomic_write(digests) as file:
        keys = groups.select(MODEL_KEY).rows()
        file.write(orjson.dumps([[*key, _digest(table[TEXT])] for key, table in zip(keys, tables, strict=True)]))
    return [wrote._replace(names=[*wrote.names, digests.name])]


def _digest(column: pa.ChunkedArray) -> str:
    offsets, data = Ragged.from_text(column)
    return hashlib.sha256(offsets.tobytes() + data.tobytes()).hexdigest()


def read_digests(texts: UPath) -> dict[tuple[str, int], str]:
    """Return a fingerprint of the training text of each model, by language and fold."""
    found: dict[tuple[str, int], list[str]] = {}
    for _, groups in _digests(texts):
        for language, fold, digest in groups:
            found.setdefault((language, fold), []).append(digest)
    return {key: fingerprint(digests) for key, digests in found.items()}


def sampled_groups(texts: UPath, language: str, fold: int) -> Iterator[tuple[UPath, int]]:
    """Yield shard and row group of the sampled documents of a model."""
    for path, groups in _digests(texts):
        for number, group in enumerate(groups):
            if group[:2] == [language, fold]:
                yield path.with_suffix(".parquet"), number


def _digests(texts: UPath) -> Iterator[tuple[UPath, list]]:
    """Yield the file beside each shard, and language, fold and digest of each of its row groups."""
    for path in sorted(texts.glob(f"*{DIGESTS}")):
        if path.name != MANIFEST:
            yield path, orjson.loads(path.read_bytes())


def sizes(text: pa.Array) -> pl.DataFrame:
    """Return the bytes and characters of each document."""
    documents = pl.Series(text, dtype=pl.String).str
    return pl.DataFrame({"bytes": documents.len_bytes(), "characters": documents.len_chars()}, SIZES)


def list_documents(corpus: Corpus, part: str) -> pl.DataFrame:
    """Return the documents of a shard: row, language, sizes, fold, the hash that orders the sample, kept."""
    rows = np.arange(corpus.rows[part])
    hashes = hash_rows(*Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow()))
    folds = (hashes & np.uint64(N_FOLDS - 1)).astype(np.int64)
    kept = corpus.keep_mask(part, rows.size)
    return pl.DataFrame(corpus.measured(part, ["language", *SIZES])).with_columns(
        pl.Series("row", rows), pl.Series("fold", folds), pl.Series("hash", hashes, pl.UInt64), pl.Series("kept", kept)
    )


def write_table(path: UPath, tables: list[pa.Table], schema: pa.Schema | None = None) -> Written:
    return Written([path.name], {"rows": write_measures(path, tables, schema)})
