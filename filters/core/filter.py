"""Base of all filters: settings, measures, rules. A filter never sees how its decisions are applied."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from gristmill.filters.core.profiles import NO_PROFILE, profile_of, profile_settings, profiles, shipped_profile
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.schema import LANGUAGE
from gristmill.pipelines.settings import Settings, given_name, read_settings

# What a step may provide besides LANGUAGE: the likeliest language, sure or not, and its probability.
GUESS, PROBABILITY = "guess", "probability"
Count = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Rule(NamedTuple):
    """A threshold for one measure: documents with fewer than 50 words break ``Rule("words", "<", 50)``.

    The setting, the measure and the rule share one stem: ``min_words``, ``words``, ``words_too_low``.
    """

    measure: str  # column of the filter's measures
    breaks: str  # "<", "<=", ">", ">="
    threshold: float | None  # None: the rule is off
    by: str | None = None  # column of the measures whose values may have thresholds of their own
    thresholds: dict[str, float] = {}  # value of that column -> its threshold

    @property
    def name(self) -> str:
        """The reason that a decision records: ``words_too_low``."""
        return f"{self.measure}_too_{'low' if '<' in self.breaks else 'high'}"


class Filter(Settings):
    """A rule set over single documents.

    A change of the settings in MEASURED changes the measures. All others are thresholds: a change of them costs no new
    measurement. ``profiles`` overrides thresholds for documents of one language or language profile: ``{"zh":
    {"min_words": 75}}``. The profiles of filters/languages/*.toml apply too, unless ``use_profiles`` is off; they leave
    a rule off that the settings switch off.
    """

    NEEDS: ClassVar[tuple[str, ...]] = ()  # what its measures need of earlier steps: LANGUAGE
    PROVIDES: ClassVar[dict[str, str]] = {}  # what it provides to later steps -> column of its measures
    NAME: ClassVar[str]  # in recipes and profiles; of a user's class its own name
    MEASURED: ClassVar[tuple[str, ...]] = ()
    MEASURED_BY_PROFILE: ClassVar[tuple[str, ...]] = ()  # of these, the ones that ``measure`` takes from a profile
    RULES: ClassVar[tuple[str, ...]] = ()  # settings that are thresholds, in order: "min_words", "max_words"

    profiles: dict[str, dict[str, Any]] = {}  # thresholds by language or language profile: { zh = { min_words = 75 } }
    use_profiles: bool = True  # the profiles of filters/languages

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.NAME = given_name(cls)

    def measure(self, batch: Any) -> Any:
        """Return one row per document of a `Batch`, in order, as a ``pl.DataFrame``.

        A blank document has a value in each column, never null or NaN.
        """
        raise NotImplementedError

    def rules(self) -> dict[str, Rule]:
        """Return the rules by name, in order. A decision records every broken rule; the first is the reason."""
        found = [Rule(key[4:], "<" if key.startswith("min_") else ">", getattr(self, key)) for key in self.RULES]
        return {rule.name: rule for rule in found}

    @model_validator(mode="after")
    def _minima_below_maxima(self):
        for low in type(self).model_fields:
            high = f"max_{low[4:]}"
            least, most = getattr(self, low), getattr(self, high, None)
            if low.startswith("min_") and least is not None and most is not None and least > most:
                raise ValueError(f"{low} is {least}, above {high} {most}; a minimum must not exceed its maximum")
        return self

    @model_validator(mode="after")
    def _profiles_are_settings(self):
        fixed = {"profiles", "use_profiles", *self.MEASURED} - {*self.MEASURED_BY_PROFILE}
        for name, values in self.profiles.items():
            if found := sorted(fixed & values.keys()):
                raise ValueError(f"profile {name!r} has {found[0]}, which has one value for all languages; remove it")
        shipped = [name for name, profile in profiles().items() if self.NAME in profile] if self.use_profiles else []
        for name in [*shipped, *self.profiles]:
            try:
                self.for_profile(name)
            except RecipeError as error:
                raise ValueError(str(error)) from None
        return self

    def profile_of(self, language: np.ndarray | None, documents: int) -> np.ndarray:
        """Return the profile of each document, object[documents]; ``language`` is None if no step gives it."""
        if language is None:
            return np.full(documents, NO_PROFILE, object)
        return profile_of(language, self.profiles)

    def for_profile(self, name: str) -> Self:
        """Return the settings for documents of the profile ``name``, without further profiles."""
        overrides = self.overrides(name)
        if not overrides:
            return self
        base = {key: getattr(self, key) for key in self.model_fields_set - {"profiles"}} | {"use_profiles": False}
        return read_settings(type(self), base | overrides, f"profile {name!r} of {self.NAME}")

    def overrides(self, name: str) -> dict[str, Any]:
        """Return the settings that a profile changes: those of the shipped one behind it, then its own."""
        shipped = shipped_profile(name)
        ours = profile_settings(shipped, self.NAME) if self.use_profiles else {}
        ours = {key: value for key, value in ours.items() if not self._is_off(key)}
        return ours | self.profiles.get(shipped, {}) | self.profiles.get(name, {})

    def _is_off(self, setting: str) -> bool:
        """True if a rule is off that is on by default; an unknown setting is not."""
        field = type(self).model_fields.get(setting)
        return field is not None and field.default is not None and getattr(self, setting) is None

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on."""
        changed = {
            name: found
            for name, values in self.profiles.items()
            if (found := {key: values[key] for key in self.MEASURED if key in values})
        }
        own = {"profiles": changed} if changed else {}
        return {"filter": self.NAME, **{key: self.model_dump(mode="json")[key] for key in self.MEASURED}, **own}

    def decided_settings(self) -> dict:
        """Return all that decisions depend on besides the measures, shipped profiles included."""
        shipped = {name: profile_settings(name, self.NAME) for name in profiles()} if self.use_profiles else {}
        return {**self.measured_settings(), **self.model_dump(mode="json"), "shipped": shipped}


def own_profiles(steps: Mapping[str, Any]) -> set[str]:
    """Return the languages and profiles for which a filter of the recipe has settings of its own."""
    return {name for step in steps.values() if isinstance(step, Filter) for name in step.profiles}


def provider(steps: dict[str, Any], what: str) -> str | None:
    """Return the name of the last step that provides ``what``, None where no step does."""
    return next((name for name in reversed(steps) if what in steps[name].PROVIDES), None)


class Rewriter(Filter):
    """A filter that also changes text: it removes or replaces spans, then measures the remaining text.

    With ``keeps_text`` in a profile, documents of this profile keep their text. Their measures are as without it. So
    does a conversation whose lines a rewriter would remove: CUTS_LINES.
    """

    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    CUTS_LINES: ClassVar[bool] = False  # it removes lines, which may be whole turns

    keeps_text: bool = False  # documents are measured, and keep their text

    @property
    def other_columns(self) -> list[str]:
        """Columns besides the text that it rewrites, too. They hold strings."""
        return []

    def rewrite_columns(self, batch: Any) -> Any:
        """Return the spans to rewrite in ``batch.columns`` (schema COLUMN_SPAN)."""
        raise NotImplementedError

    def rewrite(self, batch: Any) -> Any:
        """Return the spans to rewrite (schema SPAN, ordered by row and offset) and the measures."""
        raise NotImplementedError

    def measure(self, batch: Any) -> Any:
        return self.rewrite(batch)[1]

    def measured_settings(self) -> dict:
        """Return the settings that the measures and spans depend on."""
        names = [NO_PROFILE, *profiles(), *self.profiles]
        return {**super().measured_settings(), "keep_text": [n for n in names if self.for_profile(n).keeps_text]}
