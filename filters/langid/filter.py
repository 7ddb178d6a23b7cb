"""Language identification as a filter: keep documents in chosen languages, and label all for later steps."""

from typing import Annotated, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import GUESS, LANGUAGE, PROBABILITY, Filter, Rule
from gristmill.filters.langid.labels import UNKNOWN, is_code, language_of
from gristmill.filters.langid.models import ENSEMBLE, check_model_name, load_model
from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.ragged import Ragged

# Documents with a lower probability get the neutral profile. FineWeb's threshold for English. Without it, the stop
# words of a wrongly guessed language drop half of the Bibles, declarations and manuals in languages no model knows.
CONFIDENT_PROBABILITY = 0.65


class Language(Filter):
    """Documents whose language is one of ``languages`` with enough probability.

    The default model is the ensemble of lid.176 and py3langid. Of all choices it is most often right, and it seldom
    gives a high probability to a language that it does not know (`gristmill compare-languages`; figures in LOG.md).
    """

    NAME: ClassVar[str] = "language"
    MEASURED: ClassVar[tuple[str, ...]] = ("model", "languages", "max_bytes", "confident_probability")
    MEASURED_BY_PROFILE: ClassVar[tuple[str, ...]] = ("confident_probability",)
    PROVIDES: ClassVar[dict[str, str]] = {LANGUAGE: "confident_label", GUESS: "label", PROBABILITY: "probability"}

    model: str = ENSEMBLE  # a name of filters/langid/models.py, or file:PATH of a fastText model
    languages: list[str] = []  # ISO 639-1 codes, or 639-3 where there is none; empty: all languages are allowed
    # 0.5 drops nearly all documents in a language that no model knows. 0.3 (NeMo Curator) keeps half of them, and 96
    # instead of 92 % of the others. FineWeb uses 0.65, with lid.176 and English only.
    min_probability: float = Field(0.3, ge=0, le=1)
    min_probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}  # by language: {"zh": 0.4}
    # below it a label is uncertain; a profile may lower it for a language of which the model is never sure
    confident_probability: float = Field(CONFIDENT_PROBABILITY, ge=0, le=1)
    max_bytes: int | None = Field(1024, ge=64)  # read per document, in slices spread over it; None: the whole document

    _known_model = field_validator("model")(check_model_name)

    @field_validator("languages", "min_probabilities")
    @classmethod
    def _labels_are_ours(cls, languages):
        for language in languages:
            if language != language_of(language):
                raise ValueError(f"no model gives the label {language!r}; write {language_of(language)!r}")
            if not is_code(language):
                raise ValueError(f"no language {language!r}, expected ISO 639-1 codes such as 'en'")
        return languages

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return four columns; a blank document has label ``und`` and probability 0.

        - ``label`` and ``probability``: the most probable language;
        - ``allowed_probability``: the probability if the language is allowed, else -1, which no threshold allows;
        - ``confident_label``: the label for later steps, ``und`` below ``confident_probability``.

        A document whose input has a declared `language` has that label, with probability 1.
        """
        label, probability = self._predict(batch)
        allowed = np.isin(label, self.languages) if self.languages else np.ones(label.size, np.bool_)
        names, codes = np.unique(label.astype(str), return_inverse=True)
        sure = np.array(
            [self.overrides(name).get("confident_probability", self.confident_probability) for name in names]
        )
        confident = probability >= sure[codes]
        return pl.DataFrame(
            {
                "label": pl.Series(label, dtype=pl.String),
                "probability": probability,
                "allowed_probability": np.where(allowed, probability, -1.0),
                "confident_label": pl.Series(np.where(confident, label, UNKNOWN), dtype=pl.String),
            }
        )

    def _predict(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the label and its probability for each document: declared, or else predicted."""
        text, declared = batch.text, batch.declared
        if declared is None:
            return load_model(self.model).predict(sample_slices(text, self.max_bytes))
        unknown = np.flatnonzero(declared == None)  # noqa: E711
        label, probability = declared.copy(), np.ones(text.rows)
        if unknown.size:
            rest = sample_slices(Ragged.from_text(text.to_text().take(pa.array(unknown))), self.max_bytes)
            label[unknown], probability[unknown] = load_model(self.model).predict(rest)
        return label, probability

    def rules(self) -> dict[str, Rule]:
        own = {name: values["min_probability"] for name, values in self.profiles.items() if "min_probability" in values}
        by_label = "label", own | self.min_probabilities
        return {"probability_too_low": Rule("allowed_probability", "<", self.min_probability, *by_label)}
