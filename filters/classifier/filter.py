"""Quality classifier filter: keeps documents by the probability that a fastText model gives to a label."""

from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
import orjson
import polars as pl
from pydantic import Field, field_validator, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.core.percentiles import ALL_LANGUAGES, read_percentiles
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.format import read_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import checksum, to_path

POSITIVE, NEGATIVE = "__label__hq", "__label__lq"  # DCLM's names
MAX_ALPHA = 1e6  # above every pareto_alpha


class Classifier(Filter):
    """Documents to which a fastText model gives a high probability of ``label``.

    The model is a file of ``gristmill classifier train`` or any fastText model. There are three kinds of thresholds:

    - ``min_score``, a probability;
    - ``min_percentile`` of the scores of a sample (``gristmill classifier score --write-percentiles``);
    - ``pareto_alpha``, by sampling: GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix A) keeps a document if
      ``np.random.pareto(alpha) > 1 - score``, with alpha 9, so that some documents of all kinds are kept. Here the
      draw is a function of the document's id.
    """

    NAME: ClassVar[str] = "classifier"
    MEASURED: ClassVar[tuple[str, ...]] = ("model", "label")

    model: str
    label: str = POSITIVE
    min_score: float | Literal["auto"] | None = None  # "auto": the threshold that training chose on held-out documents
    percentiles_file: str | None = None  # JSON: "*" -> scores at the percentiles 0 to 100
    min_percentile: int | None = Field(None, ge=0, le=100)
    pareto_alpha: float | None = Field(None, gt=0, lt=MAX_ALPHA)

    @field_validator("min_score")
    @classmethod
    def _is_probability(cls, value):
        if isinstance(value, float) and not 0 <= value <= 1:
            raise ValueError('expected 0 to 1, or "auto"')
        return value

    @model_validator(mode="after")
    def _files_are_readable(self):
        if self.min_percentile is not None and self.percentiles_file is None:
            remedy = "`gristmill classifier score --write-percentiles FILE` writes it"
            raise ValueError(f"min_percentile needs percentiles_file; {remedy}")
        try:
            labels = open_model(self.model).labels
            if self.label not in labels:
                raise ValueError(f"{self.model} has no label {self.label!r}; it has {', '.join(labels[:5])}")
            self.rules()
        except InputError as error:
            raise ValueError(str(error)) from None
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return two columns; a document without known words has score 0.

        - ``score``: the probability of the label;
        - ``max_pareto_alpha``: the document is kept by each ``pareto_alpha`` below it. A Pareto variable exceeds
          ``1 - score`` with probability ``(2 - score) ** -alpha``. Documents without ids have MAX_ALPHA.
        """
        score = open_model(self.model).probability(batch.text, self.label)
        alpha = np.full(score.size, MAX_ALPHA)
        if batch.ids is not None:
            alpha = max_pareto_alpha(score, uniform_by_id(batch.ids, self.NAME))
        return pl.DataFrame({"score": score, "max_pareto_alpha": alpha})

    def rules(self) -> dict[str, Rule]:
        min_score = self.min_score
        if isinstance(min_score, str):
            min_score = float(read_sidecar(self.model)["threshold"])
        return {
            "score_too_low": Rule("score", "<", min_score),
            "percentile_too_low": Rule("score", "<", self._percentile()),
            "pareto_draw_too_low": Rule("max_pareto_alpha", "<=", self.pareto_alpha),
        }

    def _percentile(self) -> float | None:
        """Return the score at ``min_percentile``; None without one."""
        if self.min_percentile is None or self.percentiles_file is None:
            return None
        table = read_percentiles(self.percentiles_file, "classifier")
        if ALL_LANGUAGES not in table:
            remedy = "`gristmill classifier score --write-percentiles FILE` writes it"
            raise InputError(f"{self.percentiles_file} has no percentiles {ALL_LANGUAGES!r}; {remedy}")
        return table[ALL_LANGUAGES][self.min_percentile]

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on, with the model's checksum."""
        return {**super().measured_settings(), "checksum": checksum(to_path(self.model))}

    def decided_settings(self) -> dict:
        """Return the settings that decisions depend on, with the thresholds from files."""
        return {**super().decided_settings(), "thresholds": [rule.threshold for rule in self.rules().values()]}


def max_pareto_alpha(score: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """Return the alpha below which the Pareto variable ``draw ** (-1 / alpha) - 1`` exceeds ``1 - score``, float64[n].

    It is MAX_ALPHA at most.
    """
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(draw) / np.log(2 - score), MAX_ALPHA)


@cache
def open_model(path: str) -> FastTextPredictor:
    """Read a fastText model, once per process."""
    return FastTextPredictor(read_fasttext(path))


def sidecar(model: str) -> UPath:
    """Return the path of a model's JSON file, which holds its threshold, evaluation and settings."""
    path = to_path(model)
    return path.parent / f"{path.name}.json"


def read_sidecar(model: str) -> dict[str, Any]:
    """Read a model's JSON file. Raises InputError if it is missing."""
    path = sidecar(model)
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(f"cannot read {path} ({error}), which holds the threshold of {model}; set min_score") from None
