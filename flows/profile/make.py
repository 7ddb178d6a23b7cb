"""Language profiles: thresholds of a recipe's rules for each language, from a sample of its documents."""

from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.core.profiles import shipped_profile, stop_words
from gristmill.filters.langid.filter import Language
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.thresholds.confidence import below, sure_probability
from gristmill.filters.thresholds.cuts import find_cuts, power, settings_to_find, share_removed
from gristmill.filters.thresholds.stop_words import WordShares
from gristmill.flows.clean.language_profiles import STOP_WORDS, give_profiles
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.profile.labeled import Labeled
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.settings import NAME, Settings

CORPUS, REFERENCE = "corpus", "reference"
MOST_NAMED = 12  # languages in an error
Frames = dict[str, pl.DataFrame]  # name of a step -> measures
Shares = dict[str, float]  # CORPUS, REFERENCE -> share of the documents


class ProfileSettings(Settings):
    """Settings of `gristmill profile`."""

    min_documents: int = Field(50, ge=10)  # of a language, to get a profile
    sample: int = Field(2000, ge=10)  # documents of a language to measure, at most


class Threshold(NamedTuple):
    """Setting of a profile, and the share of the documents that it alone removes."""

    filter: str
    setting: str
    value: float
    removes: Shares


class LanguageProfile(NamedTuple):
    """Profile of one language, and the documents that it comes from."""

    language: str
    documents: dict[str, int]  # in the language: CORPUS, REFERENCE -> number
    source: str  # of the thresholds: CORPUS or REFERENCE
    sampled: int  # documents of the source that were measured
    stop_words: list[str]
    thresholds: list[Threshold]
    removes: Shares  # documents of the samples that violate any rule of the steps with thresholds here

    def tables(self) -> dict[str, dict[str, Any]]:
        """Return filter -> settings, as a recipe's steps take them."""
        found: dict[str, dict[str, Any]] = {Gopher.NAME: {STOP_WORDS: self.stop_words}} if self.stop_words else {}
        for each in self.thresholds:
            found.setdefault(each.filter, {})[each.setting] = each.value
        return found


def find_profiles(
    recipe: Recipe, labeled: dict[str, Labeled], languages: list[str], settings: ProfileSettings
) -> list[LanguageProfile]:
    """Return a profile for each of the languages with enough documents. ``labeled`` has CORPUS, and maybe REFERENCE."""
    judged = {name: step for name, step in recipe.steps.items() if isinstance(step, Filter) and settings_to_find(step)}
    if not judged:
        raise RecipeError(f"{recipe.name} has no step whose thresholds come from language profiles")
    source = {
        language: kind
        for language in languages
        for kind in (CORPUS, REFERENCE)  # the last one counts
        if kind in labeled and labeled[kind].of(language) >= settings.min_documents
    }
    minima = {each: sure_probability(labeled[kind].probabilities[each]) for each, kind in source.items()}
    samples = {kind: each.sample(minima, settings.sample) for kind, each in labeled.items()}
    source = {each: kind for each, kind in source.items() if _size(samples[kind], each) >= settings.min_documents}
    words = _stop_words(recipe, labeled, samples, source) if any(s.NAME == Gopher.NAME for s in judged.values()) else {}
    given = {each: {Language.NAME: {"confident_probability": minima[each]}} for each in source}
    first = with_profiles(recipe, {each: tables | _stop_table(words.get(each)) for each, tables in given.items()})
    measured = {kind: _measure(first, each, samples[kind], source) for kind, each in labeled.items()}
    shipped = {each: kind for each, kind in source.items() if each in words and stop_words(shipped_profile(each))}
    second = with_profiles(recipe, {each: given[each] for each in shipped})
    again = {kind: _measure(second, each, samples[kind], shipped) for kind, each in labeled.items() if shipped}
    for language, kind in shipped.items():
        if _power(second, language, again[kind]) >= _power(first, language, measured[kind]):
            words.pop(language)
            for each in labeled:
                measured[each][language] = again[each][language]
    return [
        _profile(recipe, labeled, measured, language, source[language], minima[language], words.get(language))
        for language in sorted(source)
    ]


def check_languages(languages: list[str], labeled: dict[str, Labeled]) -> list[str]:
    """Return the languages to profile: the given ones, or all of the documents; the most frequent first.

    A label that can be no name of a file is none. Raises InputError for a language without documents.
    """
    names = {name for each in labeled.values() for name in each.probabilities if NAME.fullmatch(name)}
    found = {name: max(each.of(name) for each in labeled.values()) for name in names}
    ordered = sorted(found, key=lambda name: (-found[name], name))
    for language in languages:
        if language not in found:
            have = ", ".join(f"{name} {found[name]:,}" for name in ordered[:MOST_NAMED]) or "source code alone"
            raise InputError(
                f"no document in {language!r}; the documents are in {have}; give a label of the recipe's model"
            )
    return [language for language in ordered if language in languages or not languages]


def with_profiles(recipe: Recipe, tables: dict[str, dict[str, dict]]) -> Recipe:
    """Return the recipe with profiles: language -> filter -> settings. A profile of the recipe takes precedence."""
    table = recipe.table()
    give_profiles(table["steps"], tables)
    return parse_recipe(table, recipe.name)


def _power(recipe: Recipe, language: str, measured: dict[str, Frames]) -> float:
    """Return the power of a recipe's stop words in a language: the greatest of its steps."""
    steps = ((recipe.steps[name], frame) for name, frame in measured[language].items())
    return max(power(step, language, frame) for step, frame in steps if isinstance(step, Gopher))


def _size(sample: pl.DataFrame, language: str) -> int:
    return int((sample["label"] == language).sum())


def _stop_table(words: list[str] | None) -> dict[str, dict]:
    return {Gopher.NAME: {STOP_WORDS: words}} if words else {}


def _stop_words(recipe: Recipe, labeled: dict[str, Labeled], samples: Frames, source: dict[str, str]) -> dict:
    """Return the stop words of each language, from the sample that its thresholds come from."""
    shares = {language: WordShares() for language in source}
    for kind, documents in labeled.items():
        mine = [language for language in source if source[language] == kind]
        for text, languages in documents.texts(samples[kind].filter(pl.col("label").is_in(mine))):
            words = Batch(text, splitter=recipe.words).words
            for language in np.unique(languages.astype(str)):
                shares[language].add(text, words, np.flatnonzero(languages == language))
    return {language: each.stop_words() for language, each in shares.items()}


def _measure(recipe: Recipe, labeled: Labeled, sample: pl.DataFrame, source: dict[str, str]) -> dict[str, Frames]:
    """Return language -> step -> measures of the documents of a sample."""
    chain: dict[str, Any] = {name: step for name, step in recipe.steps.items() if isinstance(step, Filter)}
    last = max(i for i, step in enumerate(chain.values()) if settings_to_find(step))
    chain = dict(list(chain.items())[: last + 1])
    found: dict[str, dict[str, list[pl.DataFrame]]] = {language: {} for language in source}
    for text, languages in labeled.texts(sample.filter(pl.col("label").is_in(list(source)))):
        frames = measure_documents(chain, pa.table({TEXT: text.to_text()}), recipe.words)
        for name, step in chain.items():
            if settings_to_find(step):
                for language in np.unique(languages.astype(str)):
                    mine = frames[name].filter(pl.Series(languages == language))
                    found[language].setdefault(name, []).append(mine)
    return {each: {name: pl.concat(parts) for name, parts in frames.items()} for each, frames in found.items()}


def _profile(
    recipe: Recipe,
    labeled: dict[str, Labeled],
    measured: dict[str, dict[str, Frames]],
    language: str,
    source: str,
    least: float,
    words: list[str] | None,
) -> LanguageProfile:
    seen = {kind: each.probabilities[language] for kind, each in labeled.items() if each.of(language)}
    thresholds = _confidence(recipe, least, {kind: below(counts, least) for kind, counts in seen.items()})
    frames = {kind: each[language] for kind, each in measured.items() if each[language]}
    for step_name, frame in frames[source].items():
        step = recipe.steps[step_name]
        assert isinstance(step, Filter)
        for setting, value in find_cuts(step, language, frame).items():
            removes = {kind: share_removed(setting, value, each[step_name]) for kind, each in frames.items()}
            thresholds.append(Threshold(step.NAME, setting, value, removes))
    profile = LanguageProfile(
        language,
        {kind: each.of(language) for kind, each in labeled.items()},
        source,
        len(next(iter(frames[source].values()))),
        words or [],
        thresholds,
        {},
    )
    judging = with_profiles(recipe, {language: profile.tables()})
    return profile._replace(removes={kind: _removed(judging, each, language) for kind, each in frames.items()})


def _confidence(recipe: Recipe, least: float, removes: Shares) -> list[Threshold]:
    """Return the thresholds of the language step: a minimum where the recipe has one, and a lower confidence."""
    step = next(step for step in recipe.steps.values() if isinstance(step, Language))
    found = [Threshold(step.NAME, "min_probability", least, removes)] if step.min_probability else []
    lower = least < step.confident_probability
    return [*found, Threshold(step.NAME, "confident_probability", least, {})] if lower else found


def _removed(recipe: Recipe, frames: Frames, language: str) -> float:
    """Return the share of the documents that violate any rule of the measured steps."""
    gone = np.zeros(len(next(iter(frames.values()))), np.bool_)
    for name, frame in frames.items():
        step = recipe.steps[name]
        assert isinstance(step, Filter)
        labels = np.full(len(frame), language, object)
        gone |= (decide(step, frame, step.profile_of(labels, len(frame))).list.len() > 0).to_numpy()
    return float(gone.mean())
