"""Settings of filters and steps with models: every number has bounds, every minimum lies at or below its maximum."""

from types import NoneType
from typing import get_args

import annotated_types
import pytest

from gristmill.filters.classifier.filter import MAX_ALPHA, Classifier
from gristmill.filters.importance.step import Importance
from gristmill.filters.langid.filter import Language
from gristmill.filters.ngram.train import NGramSettings
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.filters.perplexity.filter import Perplexity
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.models.classifier import ClassifierSettings
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings

KINDS = {
    Language: {},
    Perplexity: {},
    Classifier: {"model": "m.bin"},
    PiiFilter: {},
    CrossFitPerplexity: {},
    Importance: {"target": ["t.jsonl"]},
    NGramSettings: {},
    ClassifierSettings: {},
}
CHECKED_BY_HAND = {(Classifier, "min_score")}


def numbers(kind):
    """Yield name, type and bounds of each setting that is a number, or may be."""
    for name, field in kind.model_fields.items():
        types = {*get_args(field.annotation), field.annotation} - {NoneType}
        if types & {int, float} and (kind, name) not in CHECKED_BY_HAND:
            yield name, int if int in types else float, field.metadata


def beyond(number, bounds):
    """Yield a value outside each bound."""
    step = 1 if number is int else 1e-9
    for bound in bounds:
        match bound:
            case annotated_types.Ge(ge):
                yield number(ge - max(step, abs(ge) * 1e-9))
            case annotated_types.Gt(gt):
                yield number(gt)
            case annotated_types.Le(le):
                yield number(le + max(step, abs(le) * 1e-9))
            case annotated_types.Lt(lt):
                yield number(lt)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_number_has_a_lower_bound_and_none_lies_outside(kind):
    for name, number, bounds in numbers(kind):
        assert any(isinstance(bound, annotated_types.Ge | annotated_types.Gt) for bound in bounds), name
        for value in beyond(number, bounds):
            with pytest.raises(RecipeError, match=f"{name}: .*{value}"):
                read_settings(kind, KINDS[kind] | {name: value}, "test")


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        (Classifier, {"min_score": 1.1}, "min_score: expected 0 to 1"),
        (Classifier, {"min_score": -0.1}, "min_score: expected 0 to 1"),
        (Classifier, {"pareto_alpha": MAX_ALPHA}, "pareto_alpha"),
        (Language, {"min_probabilities": {"zh": 1.1}}, "min_probabilities.zh"),
        (Language, {"min_probabilities": {"zh": -0.1}}, "min_probabilities.zh"),
        (NGramSettings, {"prune": [0, -1]}, "prune.1"),
        (NGramSettings, {"prune": [1]}, "begin with 0"),
        (NGramSettings, {"prune": [0, 2, 1]}, "must not fall"),
        (NGramSettings, {"discount_fallback": [0.5, 1.0, 3.1]}, "discount_fallback"),
        (NGramSettings, {"discount_fallback": [-0.1, 1.0, 1.5]}, "discount_fallback"),
        (Perplexity, {"min_perplexity": 9.0, "max_perplexity": 8.0}, "min_perplexity.*max_perplexity"),
        (Perplexity, {"min_percentile": 9, "max_percentile": 8, "percentiles_file": "p"}, "min_perc.*max_percentile"),
        (CrossFitPerplexity, {"min_percentile": 9.0, "max_percentile": 9.0}, "min_percentile 9.0.*max_percentile 9.0"),
        (CrossFitPerplexity, {"min_characters": 1001, "sample_bytes": 1000}, "min_characters 1001 .*sample_bytes 1000"),
        (ClassifierSettings, {"min_n": 3, "max_n": 2}, "min_n 3 and max_n 2"),
        (ClassifierSettings, {"min_n": 0, "max_n": 2}, "min_n 0 and max_n 2"),
    ],
)
def test_impossible_numbers_and_pairs_are_refused(kind, settings, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(kind, KINDS[kind] | settings, "test")


def test_equal_and_boundary_values_are_accepted():
    read_settings(Perplexity, {"min_perplexity": 9.0, "max_perplexity": 9.0}, "test")
    read_settings(CrossFitPerplexity, {"min_characters": 1000, "sample_bytes": 1000}, "test")
    read_settings(NGramSettings, {"discount_fallback": [1.0, 2.0, 3.0], "prune": [0, 0, 1]}, "test")
    read_settings(ClassifierSettings, {"min_n": 2, "max_n": 2}, "test")
    read_settings(Language, {"min_probability": 1.0, "min_probabilities": {"zh": 0.0}}, "test")
