"""What a filter is: settings, measures, rules. It never sees what becomes of the documents."""

from typing import Any, ClassVar, NamedTuple

import polars as pl
import pyarrow as pa
from pydantic import model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.profiles import profile_settings, profiles
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings, read_settings

# What a step may provide to later steps: the language that chooses a document's profile, and the likeliest language,
# sure or not.
LANGUAGE, GUESS = "language", "guess"


class Rule(NamedTuple):
    """When a document breaks it: ``Rule("words", "<", 50)``. A threshold of None switches the rule off."""

    measure: str  # column of the filter's measures
    breaks: str  # "<", "<=", ">", ">="
    threshold: float | None
    by: str | None = None  # a column of the measures whose values may have thresholds of their own
    thresholds: dict[str, float] = {}


class Filter(Settings):
    """One rule set over single documents.

    Settings named in MEASURED change the measures; all others are thresholds, and changing those measures nothing
    anew. ``profiles`` overrides thresholds for the documents of one language profile: ``{"zh": {"min_words": 75}}``;
    profiles that ship with Gristmill (filters/languages/*.toml) are used unless ``use_profiles`` is off.
    """

    MEASURED: ClassVar[tuple[str, ...]] = ()
    NEEDS: ClassVar[tuple[str, ...]] = ()  # what its measures need of earlier steps: LANGUAGE
    PROVIDES: ClassVar[dict[str, str]] = {}  # what it provides to later steps -> column of its measures
    NAME: ClassVar[str]  # in recipes and profiles

    profiles: dict[str, dict[str, Any]] = {}
    use_profiles: bool = True

    def measure(self, batch: Batch) -> pl.DataFrame:
        """One row a document, in order; a blank document has a value in every column too, never null or NaN."""
        raise NotImplementedError

    def rules(self) -> dict[str, Rule]:
        """Rule name -> when it drops a document. Every broken one is recorded; the first is the reason."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _profiles_are_settings(self):
        for name in self.profiles:
            try:
                self.for_profile(name)
            except RecipeError as error:
                raise ValueError(str(error)) from None
        return self

    def for_profile(self, name: str) -> "Filter":
        """These settings as they are for documents of the profile ``name``."""
        shipped = profile_settings(name, self.NAME) if self.use_profiles else {}
        overrides = shipped | self.profiles.get(name, {})
        if not overrides:
            return self
        base = {key: getattr(self, key) for key in self.model_fields_set - {"profiles"}}
        return read_settings(type(self), base | overrides, f"profile {name!r} of {self.NAME}")

    def measured_settings(self) -> dict:
        """The part of the settings that the measures depend on."""
        return {"filter": self.NAME, **{key: self.model_dump(mode="json")[key] for key in self.MEASURED}}

    def decided_settings(self) -> dict:
        """All that decisions depend on besides the measures, shipped profiles included."""
        shipped = {name: profile_settings(name, self.NAME) for name in profiles()} if self.use_profiles else {}
        return {**self.measured_settings(), **self.model_dump(mode="json"), "shipped": shipped}


def provider(steps: dict[str, Any], what: str) -> str | None:
    """Return the name of the last step that provides ``what``, None where no step does."""
    return next((name for name in reversed(steps) if what in steps[name].PROVIDES), None)


class Rewriter(Filter):
    """A filter that also changes text: it removes or replaces spans, then judges what is left."""

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        """The spans to rewrite (schema SPAN, ordered by row and offset) and the measures."""
        raise NotImplementedError

    def measure(self, batch: Batch) -> pl.DataFrame:
        return self.rewrite(batch)[1]
