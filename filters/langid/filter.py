"""Language identification: which language a document is in, and how surely."""

from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import GUESS, LANGUAGE, Filter, Rule
from gristmill.filters.langid.labels import UNKNOWN, language_of
from gristmill.filters.langid.models import PAIR, check_name, load_model
from gristmill.filters.langid.preprocess import sample_slices

# Below it a document is judged by the neutral profile. FineWeb's threshold for English; of Bibles, declarations and
# manuals in languages that no model knows, the stop words of the language it guesses would drop every second one.
SURE = 0.65


class Language(Filter):
    """Keep documents that are surely in one of some languages.

    The default model is the pair of lid.176 and py3langid: of all choices it is right most often, and hardly ever
    sure about a language that it does not know (figures in LOG.md, by `gristmill compare-languages`).
    """

    NAME: ClassVar[str] = "language"
    MEASURED: ClassVar[tuple[str, ...]] = ("model", "languages", "max_bytes")
    PROVIDES: ClassVar[dict[str, str]] = {LANGUAGE: "sure", GUESS: "label"}

    model: str = PAIR  # a name in filters/langid/models.py, or file:PATH of a fastText model
    languages: list[str] = []  # ISO 639-1 where there is a code, else 639-3; none: every language is allowed
    # 0.5 removes nearly all documents in a language that no model knows; 0.3, as NeMo Curator has it, keeps half of
    # them, and 96 instead of 92 % of the others. FineWeb has 0.65, for lid.176 and English alone.
    min_probability: float = Field(0.3, ge=0, le=1)
    min_probabilities: dict[str, float] = {}  # by language, instead: {"zh": 0.4}
    max_bytes: int | None = Field(1024, ge=64)  # of a document read, in slices spread over it; None: all of it

    _known_model = field_validator("model")(check_name)

    @field_validator("languages", "min_probabilities")
    @classmethod
    def _our_names(cls, languages):
        for language in languages:
            if language != language_of(language):
                raise ValueError(f"the language {language!r} goes by the name {language_of(language)!r} here")
        return languages

    def measure(self, batch: Batch) -> pl.DataFrame:
        """``label``, its ``probability``, that again if the language is allowed, else 0: ``allowed_probability``; and
        ``sure``, the label that later steps go by: ``und`` where the probability is below SURE.

        A blank document is ``und`` with probability 0.
        """
        label, probability = load_model(self.model).identify(sample_slices(batch.text, self.max_bytes))
        allowed = np.isin(label, self.languages) if self.languages else np.ones(label.size, np.bool_)
        return pl.DataFrame(
            {
                "label": pl.Series(label, dtype=pl.String),
                "probability": probability,
                "allowed_probability": np.where(allowed, probability, 0.0),
                "sure": pl.Series(np.where(probability >= SURE, label, UNKNOWN), dtype=pl.String),
            }
        )

    def rules(self) -> dict[str, Rule]:
        return {"language": Rule("allowed_probability", "<", self.min_probability, "label", self.min_probabilities)}
