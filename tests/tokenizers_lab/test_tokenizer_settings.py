"""Bounds of all settings of tokenizers and token shards: values beyond a bound are refused, values at it are not."""

import math

import pytest

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.bpe.train_wordpiece import WordpieceSettings
from gristmill.tokenizers_lab.parity import ParitySettings
from gristmill.tokenizers_lab.superbpe import SuperbpeSettings
from gristmill.tokenizers_lab.train import TokenizerSettings, UnigramSettings

CLASSES = (
    *(BpeSettings, SuperbpeSettings, ParitySettings, WordpieceSettings, UnigramSettings),
    *(TokenizerSettings, TokenSettings),
)


def numbers():
    """Yield each numeric setting: class, name, its JSON schema, and whether it is a table of numbers."""
    for kind in CLASSES:
        for name, schema in kind.model_json_schema()["properties"].items():
            for part in schema.get("anyOf", [schema]):
                table = isinstance(part.get("additionalProperties"), dict)
                part = part["additionalProperties"] if table else part
                if part.get("type") in ("integer", "number"):
                    yield pytest.param(kind, name, part, table, id=f"{kind.__name__}.{name}")


@pytest.mark.parametrize(("kind", "name", "schema", "table"), [*numbers()])
def test_every_number_has_a_lower_bound_and_is_refused_beyond_its_bounds(kind, name, schema, table):
    def beyond(edge, sign):
        return edge + sign if schema["type"] == "integer" else math.nextafter(edge, sign * math.inf)

    wrong, right = [math.nan, math.inf, True, "1"], []
    for bound, sign in (("minimum", -1), ("maximum", 1)):
        if bound in schema:
            wrong, right = [*wrong, beyond(schema[bound], sign)], [*right, schema[bound]]
        if f"exclusive{bound.title()}" in schema:
            edge = schema[f"exclusive{bound.title()}"]
            wrong, right = [*wrong, edge], [*right, beyond(edge, -sign)]
    assert {"minimum", "exclusiveMinimum"} & schema.keys(), "no lower bound"
    for value in wrong:
        with pytest.raises(RecipeError, match=name):
            read_settings(kind, {name: {"2": value} if table else value}, "settings")
    for value in right:
        value = value if schema["type"] == "integer" else float(value)
        read_settings(kind, {name: {"2": value} if table else value}, "settings")


@pytest.mark.parametrize("name", ["character_coverage", "shrinking_factor"])
def test_shares_end_at_one(name):
    with pytest.raises(RecipeError, match=f"{name}.*found 1.5"):
        read_settings(UnigramSettings, {name: 1.5}, "[unigram]")


@pytest.mark.parametrize(
    ("weights", "epochs", "complaint"),
    [
        ({"web": 0.8, "code": 0.4}, {}, "weights add up to 1.2, expected at most 1"),
        ({"web": 0.5}, {"web": 2.0}, "source 'web' has both a weight and epochs"),
    ],
)
def test_weights_are_shares_and_exclude_epochs(weights, epochs, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(TokenSettings, {"weights": weights, "epochs": epochs}, "[tokens]")
    read_settings(TokenSettings, {"weights": {"web": 0.8, "code": 0.2}, "epochs": {"books": 2.0}}, "[tokens]")


def test_a_prefix_of_wordpiece_is_not_empty():
    with pytest.raises(RecipeError, match="prefix"):
        read_settings(WordpieceSettings, {"prefix": ""}, "[wordpiece]")
