"""Settings of pretrain/: every number has a lower bound, no value outside its bounds is read, pairs are ordered."""

import importlib
import pkgutil
from types import NoneType
from typing import get_args

import annotated_types
import pytest

from gristmill import pretrain
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pretrain.evaluation.generate import Sampling
from gristmill.pretrain.model.config import ModelConfig

for module in pkgutil.walk_packages(pretrain.__path__, "gristmill.pretrain."):
    importlib.import_module(module.name)
KINDS = sorted(
    (kind for kind in Settings.__subclasses__() if ".pretrain." in kind.__module__), key=lambda k: k.__name__
)
NUMBERS = [
    (kind, name, int if int in types else float, field.metadata)
    for kind in KINDS
    for name, field in kind.model_fields.items()
    if (types := ({*get_args(field.annotation), field.annotation} - {NoneType}) & {int, float})
]


REQUIRED = {"vocab_size": 61, "method": "lora", "classes": 2}


def required(kind):
    return {name: value for name, value in REQUIRED.items() if name in kind.model_fields}


def outside(number, bounds):
    """Yield the nearest value outside each bound."""
    step = 1 if number is int else 1e-9
    for bound in bounds:
        match bound:
            case annotated_types.Ge(ge):
                yield number(ge - step)
            case annotated_types.Gt(gt):
                yield number(gt)
            case annotated_types.Le(le):
                yield number(le + step)
            case annotated_types.Lt(lt):
                yield number(lt)


def test_all_settings_of_the_room_are_found():
    assert [kind.__name__ for kind in KINDS] == [
        *("AdapterSettings", "CheckpointSettings", "Claim", "ClassifySettings", "HeadSettings", "InstructSettings"),
        *("Machine", "Masking", "ModelConfig", "ModelFile", "QuantizeSettings", "RNNConfig", "Sampling", "State"),
        *("TrainSettings", "WeightIndex"),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "number", "bounds"), NUMBERS, ids=[f"{k.__name__}.{n}" for k, n, *_ in NUMBERS]
)
def test_every_number_has_a_lower_bound_and_none_lies_outside(kind, name, number, bounds):
    assert any(isinstance(bound, annotated_types.Ge | annotated_types.Gt) for bound in bounds)
    for value in outside(number, bounds):
        with pytest.raises(RecipeError, match=rf"{name}: .*, found {value}"):
            read_settings(kind, required(kind) | {name: value}, "test")


def test_values_on_the_bounds_are_read():
    """One head divides any d_model, and learned positions allow any width of a head."""
    for kind, name, number, bounds in NUMBERS:
        small = {"n_heads": 1, "position_encoding": "learned"} if kind is ModelConfig else {}
        for bound in bounds:
            if (value := getattr(bound, "ge", getattr(bound, "le", None))) is not None:
                read_settings(kind, required(kind) | small | {name: number(value)}, "test")


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        (ModelConfig, {"n_heads": 4, "n_kv_heads": 5}, "n_heads 4 is not a multiple of n_kv_heads 5"),
        (ModelConfig, {"n_heads": 8, "d_model": 4}, "d_model 4 is not a multiple of n_heads 8"),
        (Sampling, {"stop_tokens": [3, -1]}, r"stop_tokens.1: .*, found -1"),
    ],
)
def test_impossible_pairs_and_members_are_refused(kind, settings, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(kind, required(kind) | settings, "test")
