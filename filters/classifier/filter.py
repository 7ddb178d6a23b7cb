"""A quality classifier: how sure a fastText model is that a document is of the kind wanted."""

from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import orjson
import polars as pl
from pydantic import Field, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.core.percentiles import ALL_LANGUAGES, read_percentiles
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.format import read_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor as Model
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import checksum, to_path

POSITIVE, NEGATIVE = "__label__hq", "__label__lq"  # DCLM's names
AUTO = "auto"
MAX_ALPHA = 1e6  # an alpha that nobody asks for


class Classifier(Filter):
    """Keep documents that a fastText model takes for good ones.

    The model is a file of ``gristmill classifier train``, or any fastText model: ``label`` names what it calls good.
    Three ways to cut: by ``min_score``; by ``min_percentile`` of the scores of a sample (``gristmill classifier score
    --write-percentiles``); or by chance, ``pareto_alpha``: GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix A) keeps a document
    if ``np.random.pareto(alpha) > 1 - score``, with alpha 9, so that some of all kinds stay. Here the draw is a
    function of the document's id.
    """

    NAME: ClassVar[str] = "classifier"
    MEASURED: ClassVar[tuple[str, ...]] = ("model", "label")

    model: str
    label: str = POSITIVE
    min_score: float | Literal["auto"] | None = None  # "auto": on held-out documents, by whoever trained the model
    percentiles_file: str | None = None  # JSON file: "*" -> scores at the percentiles 0 to 100
    min_percentile: int | None = Field(None, ge=0, le=100)
    pareto_alpha: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _readable(self):
        if self.min_percentile is not None and self.percentiles_file is None:
            raise ValueError(
                "min_percentile needs percentiles_file; `gristmill classifier score --write-percentiles FILE` measures them"
            )
        try:
            labels = open_model(self.model).labels
            if self.label not in labels:
                raise ValueError(f"{self.model} has no label {self.label!r}; it has {', '.join(labels[:5])}")
            self.rules()
        except InputError as error:
            raise ValueError(str(error)) from None
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """``score``, 0 to 1, the probability of the label; 0 for a document that the model knows nothing of.

        ``max_pareto_alpha``: the document stays with every ``pareto_alpha`` below it. A Pareto draw beats 1 - score with
        probability ``(2 - score) ** -alpha``. Documents without ids are not left to chance.
        """
        score = open_model(self.model).probability(batch.text, self.label)
        most = np.full(score.size, MAX_ALPHA)
        if batch.ids is not None:
            most = max_pareto_alpha(score, uniform_by_id(batch.ids, self.NAME))
        return pl.DataFrame({"score": score, "max_pareto_alpha": most})

    def rules(self) -> dict[str, Rule]:
        min_score = read_sidecar(self.model)["threshold"] if self.min_score == AUTO else self.min_score
        percentile = None if self.min_percentile is None else self._percentile()
        return {
            "score_too_low": Rule("score", "<", min_score),
            "percentile_too_low": Rule("score", "<", percentile),
            "pareto_draw_too_low": Rule("max_pareto_alpha", "<=", self.pareto_alpha),
        }

    def _percentile(self) -> float:
        table = read_percentiles(self.percentiles_file, "classifier")
        if ALL_LANGUAGES not in table:
            raise InputError(
                f"{self.percentiles_file} has no cut-offs {ALL_LANGUAGES!r}; `gristmill classifier score --write-percentiles` makes them"
            )
        return table[ALL_LANGUAGES][self.min_percentile]

    def measured_settings(self) -> dict:
        """As for every filter, with what the model is."""
        return {**super().measured_settings(), "checksum": checksum(to_path(self.model))}

    def decided_settings(self) -> dict:
        """As for every filter, with the thresholds that files hold."""
        return {**super().decided_settings(), "thresholds": [rule.threshold for rule in self.rules().values()]}


def max_pareto_alpha(score: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """Below which alpha the Pareto variable ``draw ** (-1 / alpha) - 1`` is above ``1 - score``; MAX_ALPHA at most."""
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(draw) / np.log(2 - score), MAX_ALPHA)


@cache
def open_model(path: str) -> Model:
    """A fastText model, read once a process."""
    return Model(read_fasttext(path))


def sidecar(model: str) -> UPath:
    """Where lies what is known of a model: thresholds, curves, settings."""
    path = to_path(model)
    return path.parent / f"{path.name}.json"


def read_sidecar(model: str) -> dict[str, Any]:
    """What its trainer found out about a model. Raises InputError where that is missing."""
    path = sidecar(model)
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"cannot read {path} ({error}), where the threshold chosen for {model} should be; set min_score"
        ) from None
