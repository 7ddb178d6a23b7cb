"""Settings of an experiment: every number has bounds, every minimum lies at or below its maximum."""

from types import NoneType
from typing import get_args

import annotated_types
import pytest

from gristmill.flows.impact.recipe import Budget, Heldout, OneTokenizer, Rates, ScalingSettings
from gristmill.flows.impact.recipe import TestSettings as Significance  # no class of tests
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings

KINDS = Heldout, Budget, Rates, Significance, OneTokenizer, ScalingSettings


def numbers(kind):
    """Yield the name, type and bounds of each setting that is a number, or may be."""
    for name, field in kind.model_fields.items():
        types = {*get_args(field.annotation), field.annotation} - {NoneType}
        if types & {int, float}:
            yield name, int if int in types else float, field.metadata


def beyond(number, bound):
    """Return the first value outside a bound."""
    step = 1 if number is int else 1e-9
    match bound:
        case annotated_types.Ge(ge):
            return number(ge - step)
        case annotated_types.Gt(gt):
            return number(gt)
        case annotated_types.Le(le):
            return number(le + step)
        case annotated_types.Lt(lt):
            return number(lt)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_number_has_a_lower_bound_and_none_lies_outside(kind):
    for name, number, bounds in numbers(kind):
        assert any(isinstance(bound, annotated_types.Ge | annotated_types.Gt) for bound in bounds), name
        for bound in bounds:
            with pytest.raises(RecipeError, match=f"{name}: .*{beyond(number, bound)}"):
                read_settings(kind, {name: beyond(number, bound)}, "test")


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        (Budget, {"seeds": 3, "max_seeds": 2}, "max_seeds 2 is below seeds 3"),
        (Heldout, {"piece_bytes": 65, "bytes": 64}, "piece_bytes 65 is above bytes 64"),
        (ScalingSettings, {"steps": [5, 0]}, r"steps\.1"),
    ],
)
def test_ordered_pairs_and_lists_are_checked(kind, settings, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(kind, settings, "test")


def test_equal_ends_are_fine():
    assert read_settings(Budget, {"seeds": 3, "max_seeds": 3}, "test").max_seeds == 3
    assert read_settings(Heldout, {"piece_bytes": 64, "bytes": 64}, "test").bytes == 64
