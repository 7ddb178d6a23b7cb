"""Perplexity by 2-fold cross-fitting: n-gram models of the run's own documents, as a step over the corpus.

1. Sample: up to ``sample_bytes`` of each language and fold (fold_samples.py). Texts: the sample of each shard.
2. Models: one per language and fold; none for a language with less than ``min_characters`` in a fold.
3. Scores: each document is scored by the model of the other fold, because a model memorizes its training documents.
   Its context gain is measured against MAX_SHUFFLED of its own words in random order.
4. Thresholds: per language, because the bits that word order saves depend on the language and on the size of its
   model. Medians per word in the messy data: 0.6 bits in Korean, 1.6 in Spanish, 3.1 in English, 4.4 in Chinese.

The result does not depend on shards or workers, and no model has to be downloaded. Memory: the hashes of the sample,
one shard's sample, the memory of training (filters/ngram/train.py), and 40 bytes for each document that is judged.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import numpy as np
import polars as pl
from pydantic import Field, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.ngram.discounts import FALLBACK
from gristmill.filters.ngram.document_scores import score_stream, shuffle_words
from gristmill.filters.ngram.model import NGram, stored_digest
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.filter import score_columns
from gristmill.filters.perplexity.fold_samples import (
    MODEL_KEY,
    SAMPLE,
    digest_rows,
    listed,
    read_digests,
    sampled_groups,
    select_sample,
    selected,
    sizes,
    write_sample,
    write_table,
)
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict, StageTask, scratch_beside
from gristmill.pipelines.steps.decisions import violation_lists
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pipelines.storage.shards import read_group, read_shard

TEXTS, MODELS, SCORES = "texts", "models", "scores"  # stages, after SAMPLE
THRESHOLDS = "thresholds"  # report: the thresholds of each language
FENCE = 3  # lower quartiles below the median: 2 standard deviations of a normal distribution
MAX_SHUFFLED = 256  # words of a document that are scored in another order; all of them would cost as much as the text
MOSTLY = 3 / 4  # of the bytes that a model scores in a shard
OWN_SHARE = 1 / 32  # of a shard's text that a model scores, from which on its scores have a file of their own
MAX_UNKNOWN = 0.5  # of the words; a model cannot judge the order of words that it does not know
MEASURED = {"log10": pl.Float64, "tokens": pl.Int64, "perplexity": pl.Float64, "bits_per_byte": pl.Float64}
MEASURED |= {"unknown": pl.Float64, "context_gain": pl.Float64}
JUDGED = ["row", "language", "perplexity", "context_gain", "unknown"]
NO_SCORES = pl.DataFrame(schema={"row": pl.Int64, "language": pl.String, **MEASURED})


class CrossFitPerplexity(CorpusStep):
    """A step that drops documents by their perplexity under models of the run's own documents."""

    NAME: ClassVar[str] = "cross_fit_perplexity"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("skip_languages",)
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {
        SAMPLE: ("sample_bytes", "min_characters"), TEXTS: (), MODELS: ("order",), SCORES: ()
    }  # fmt: skip
    REPORTS: ClassVar[tuple[str, ...]] = (THRESHOLDS,)

    order: int = Field(3, ge=2, le=6)
    sample_bytes: int = Field(8_000_000, ge=1)  # of text, per language and fold
    min_characters: int = Field(100_000, ge=1)  # per language and fold; a language with less has no model
    min_documents: int = Field(30, ge=1)  # with min_words, per language; a language with fewer has no thresholds
    min_words: int = Field(100, ge=1)  # shorter documents are kept
    skip_languages: list[str] = ["code"]  # documents with these labels are kept, and train no model
    # The threshold of a language is the lower of two: bits per word, and a share of the language's median. Bits alone
    # cannot serve all languages: `python -m benchmarks.languages` and `benchmarks.quality` print the false removals.
    min_context_gain: float | None = Field(0.5, ge=0, le=100)
    min_median_share: float = Field(0.2, ge=0, le=1)
    min_percentile: float | None = Field(None, ge=0, le=100)  # of the perplexities of a language
    max_percentile: float | None = Field(None, ge=0, le=100)

    @model_validator(mode="after")
    def _consistent(self):
        low, high = self.min_percentile, self.max_percentile
        if low is not None and high is not None and low >= high:
            raise ValueError(f"min_percentile {low} is not below max_percentile {high}")
        if self.min_characters > self.sample_bytes:
            raise ValueError(f"min_characters {self.min_characters} is above sample_bytes {self.sample_bytes}")
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the language and size of each document, for the sample."""
        language = np.full(batch.text.rows, UNKNOWN) if batch.language is None else batch.language.astype(str)
        language = np.where(np.isin(language, self.skip_languages), UNKNOWN, language)
        return pl.DataFrame({"language": language.astype(object).tolist()}).hstack(sizes(batch.text.to_text()))

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """Yield the tasks of a stage: one for the sample, one per model, one per shard for texts and scores."""
        made = corpus.stage_folder
        if name == SAMPLE:
            names = dict.fromkeys([SAMPLE, *corpus.parts], "")
            yield StageTask(names, select_sample, (self.sample_bytes, self.min_characters, corpus))
        elif name == MODELS:
            digests = read_digests(made / TEXTS)
            for *key, size, _ in selected(made).rows():
                yield StageTask({_name(*key): digests[*key]}, train_model, (self, made, *key), size)
        elif name == TEXTS:
            for part in corpus.parts:
                version = fingerprint([*digest_rows(listed(made, part).filter("sampled")).items()])
                yield StageTask({part: version}, write_sample, (corpus.shard(part),), shard=part)
        else:
            keys = selected(made).select(MODEL_KEY).rows()
            digests = {key: stored_digest(_model(made / MODELS, *key)) for key in keys}
            for part in corpus.parts:
                documents = scored(made, part)
                rows, groups = digest_rows(documents), score_groups(part, documents)
                names = {
                    name: fingerprint([[*key, digests[key], rows[key[0], 1 - key[1]]] for key in models])
                    for name, models in groups.items()
                }
                if names:
                    yield StageTask(names, score_shard, (corpus.shard(part), groups), shard=part)

    def training(self) -> NGramSettings:
        return NGramSettings(order=self.order, discount_fallback=list(FALLBACK))

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield the verdict of each shard, the first with the thresholds of all languages."""
        judged = {part: self._judged(read_scores(corpus.stage_folder, part)) for part in corpus.parts}
        report = limits = self._limits(pl.concat([self._judged(NO_SCORES), *judged.values()]))
        for part, scores in judged.items():
            yield ShardVerdict(part, self._decide(scores, limits, corpus.rows[part]), reports={THRESHOLDS: report})
            report = report.clear()

    def _limits(self, judged: pl.DataFrame) -> pl.DataFrame:
        """Return the number of judged documents and the thresholds of each language; null for none."""
        low, high = (
            pl.lit(None, pl.Float64) if percent is None else pl.col("perplexity").quantile(percent / 100)
            for percent in (self.min_percentile, self.max_percentile)
        )
        found = {"documents": pl.len(), "median_gain": pl.col("context_gain").median()}
        thresholds = {"low": low, "high": high, "min_gain": self._min_gain()}
        limits = judged.group_by("language").agg(**found, **thresholds)
        return limits.filter(pl.col("documents") >= self.min_documents).sort("language")

    def _min_gain(self) -> pl.Expr:
        """Return the least gain in a language, null if typical documents gain so little that chance would decide."""
        if self.min_context_gain is None:
            return pl.lit(None, pl.Float64)
        median, quartile = pl.col("context_gain").median(), pl.col("context_gain").quantile(0.25)
        fence = median - FENCE * (median - quartile)
        limit = pl.min_horizontal(median * self.min_median_share, fence, self.min_context_gain)
        return pl.when(limit > 0).then(limit)

    def _judged(self, scores: pl.DataFrame) -> pl.DataFrame:
        return scores.filter(pl.col("tokens") >= self.min_words).select(JUDGED)

    def _decide(self, scores: pl.DataFrame, limits: pl.DataFrame, rows: int) -> pl.DataFrame:
        scores = scores.join(limits, on="language", maintain_order="left")
        shuffled = (pl.col("context_gain") < pl.col("min_gain")) & (pl.col("unknown") <= MAX_UNKNOWN)
        rules = [
            ("percentile_too_low", "perplexity", "low", pl.col("perplexity") < pl.col("low")),
            ("percentile_too_high", "perplexity", "high", pl.col("perplexity") > pl.col("high")),
            ("context_gain_too_low", "context_gain", "min_gain", shuffled),
        ]
        broken = []
        for rule, *columns, breaks in rules:
            row, value, threshold = scores.filter(breaks).select("row", *columns).get_columns()
            broken.append((rule, row.to_numpy(), value.to_numpy(), threshold.to_numpy()))
        return pl.DataFrame({"violations": violation_lists(rows, broken)})


def train_model(step: CrossFitPerplexity, made: UPath, language: str, fold: int, outputs) -> list[Written]:
    """Train and write the model of a language and fold."""

    def batches() -> Iterator[Batch]:
        for path, group in sampled_groups(made / TEXTS, language, fold):
            yield Batch(Ragged.from_text(read_group(path, group, [TEXT])[TEXT]))

    path = _model(outputs[0].folder, language, fold)
    with scratch_beside(made, path.stem) as scratch:
        scratch.mkdir(parents=True)
        train(batches(), step.training(), scratch=scratch).save(path)
    return [Written([path.name], {"models": 1})]


def scored(made: UPath, part: str) -> pl.DataFrame:
    """Return the documents of a shard that are scored: row, language, bytes, fold, kept.

    If earlier steps keep MOSTLY of the bytes that a model scores, it scores removed documents as well: then another
    threshold of an earlier step needs no new scores as long as the model stays the same.
    """
    size, kept = pl.col("bytes").sum().over(MODEL_KEY), (pl.col("bytes") * pl.col("kept")).sum().over(MODEL_KEY)
    return listed(made, part).drop("sampled").filter(pl.col("kept") | (kept >= MOSTLY * size))


def score_groups(part: str, documents: pl.DataFrame) -> dict[str, list[tuple[str, int]]]:
    """Return the models that score documents of a shard, by the name of the file with these scores.

    A model with OWN_SHARE of the bytes or more has a file of its own, so that it alone changes with the model.
    """
    sizes = documents.group_by(MODEL_KEY).agg(pl.col("bytes").sum()).sort(MODEL_KEY).rows()
    groups: dict[str, list[tuple[str, int]]] = {}
    least = OWN_SHARE * sum(size for *_, size in sizes)
    for language, fold, size in sizes:
        model = language, 1 - fold
        groups.setdefault(f"{part}.{_name(*model) if size >= least else 'others'}", []).append(model)
    return groups


def score_shard(corpus: Corpus, groups: dict[str, list[tuple[str, int]]], outputs: tuple[Output, ...]) -> list[Written]:
    """Write row, language and scores of the shard's documents that the models of each output score.

    Memory: the text of the shard and one model. All models together may take gigabytes.
    """
    (part,) = corpus.parts
    keys = pl.DataFrame(
        [(language, 1 - fold) for output in outputs for language, fold in groups[output.name]], MODEL_KEY, orient="row"
    )
    frame = scored(corpus.stage_folder, part).join(keys, on=MODEL_KEY, how="semi", maintain_order="left")
    batches = []
    for text in corpus.texts(part, frame["row"].to_numpy()):
        mine = frame.head(text.rows).with_row_index().group_by(MODEL_KEY, maintain_order=True).agg("index", "row")
        documents = dict(zip(mine.select(MODEL_KEY).rows(), zip(mine["index"], mine["row"], strict=True), strict=True))
        batches.append((text.to_text(), documents))
        frame = frame.slice(text.rows)
    wrote = []
    for output in outputs:
        languages, rows, found = [], [], []
        for language, fold in groups[output.name]:
            model, key = NGram.open(_model(corpus.stage_folder / MODELS, language, fold)), (language, 1 - fold)
            for text, documents in batches:
                if key in documents:
                    places, mine = documents[key]
                    found.append(_score(model, Batch(Ragged.from_text(text.take(places.to_arrow())))))
                    rows.append(mine.to_numpy())
                    languages += [language] * rows[-1].size
        columns = {name: np.concatenate([each[name] for each in found]) for name in MEASURED}
        frame = pl.DataFrame({"row": np.concatenate(rows), "language": languages, **columns})
        wrote.append(write_table(output.path, [frame.sort("row").to_arrow()]))
    return wrote


def _score(model: NGram, batch: Batch) -> dict[str, np.ndarray]:
    """Return the measures of each document; its context gain is above that of some of its words in another order."""
    stream = model.stream(batch)
    (total, _), (shuffled, _) = score_stream(model, stream), score_stream(model, shuffle_words(stream, MAX_SHUFFLED))
    gain = total.context_gain() - shuffled.context_gain()
    return score_columns(total, np.diff(batch.text.offsets)) | {"context_gain": gain}


def read_scores(made: UPath, part: str) -> pl.DataFrame:
    """Return row, language and scores of the shard's kept documents whose language has models."""
    documents = scored(made, part)
    found = (pl.DataFrame(read_shard(made / SCORES / f"{name}.parquet")) for name in score_groups(part, documents))
    return pl.concat([NO_SCORES, *found]).join(documents.filter("kept"), on="row", how="semi", maintain_order="left")


def _name(language: str, fold: int) -> str:
    return f"{quote(language, safe='')}-{fold}"


def _model(folder: UPath, language: str, fold: int) -> UPath:
    return folder / f"{_name(language, fold)}.ngram"
