"""The perplexity filter: two-sided, by model, by percentile, and CCNet's normaliser."""

import math

import numpy as np
import orjson
import pytest
from upath import UPath

from filters.batch import Batch
from filters.ccnet import normalise
from filters.cutoffs import percentiles
from filters.decide import decide
from filters.ngram.train import NGramSettings, train
from filters.perplexity import Perplexity
from pipelines.errors import RecipeError
from pipelines.ragged import Ragged
from pipelines.settings import read_settings

TEXT = "The mill grinds the corn .\nThe miller sells the flour in the town ."


def batch(*texts, language=None):
    return Batch(Ragged.from_strings(list(texts)), None if language is None else np.array(language))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "en.ngram"
    train([batch(*[TEXT] * 3)], NGramSettings(order=3, fallback=[0.5, 1, 1.5])).save(UPath(path))
    return str(path)


def reasons(perplexity, *texts, language=None):
    frame = perplexity.measure(batch(*texts, language=language))
    broken = decide(perplexity, frame, np.full(len(texts), "", object))
    return [[rule["rule"] for rule in each] for each in broken.to_list()]


def test_measures_agree_with_each_other(model):
    frame = Perplexity(models={"*": model}, lines=True).measure(batch(TEXT, "", "corn zebra"))
    row, blank, odd = frame.to_dicts()
    assert row["tokens"] == 17 and len(row["line_log10"]) == 2
    assert sum(row["line_log10"]) == pytest.approx(row["log10"])
    assert row["perplexity"] == pytest.approx(10 ** (-row["log10"] / 17))
    assert row["bits_per_byte"] == pytest.approx(-row["log10"] * math.log2(10) / len(TEXT))
    assert blank["perplexity"] == blank["bits_per_byte"] == blank["gain"] == 0
    assert odd["unknown"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("too_surprising", {"max_perplexity": 10.0}),
        ("too_predictable", {"min_perplexity": 1000.0}),
        ("no_gain", {"min_gain": 0.5}),
    ],
)
def test_each_rule_on_both_sides(model, rule, settings):
    found = reasons(Perplexity(models={"en": model}, **settings), TEXT, "corn the in mill", language=["en", "en"])
    expected = [[rule], [rule]] if rule == "too_predictable" else [[], [rule]]
    assert found == expected


def test_only_documents_with_a_model_are_judged(model):
    strict = Perplexity(models={"en": model}, max_perplexity=1.0, min_perplexity=1e9)
    assert reasons(strict, TEXT, TEXT, language=["de", "en"]) == [[], ["too_predictable", "too_surprising"]]


def test_percentiles_and_buckets(model, tmp_path):
    values = np.linspace(1, 20, 101).tolist()
    (tmp_path / "cutoffs.json").write_bytes(orjson.dumps({"*": values}))
    judge = Perplexity(models={"*": model}, cutoffs=str(tmp_path / "cutoffs.json"), max_percentile=60, min_percentile=1)
    frame = judge.measure(batch(TEXT, "corn the in mill"))
    assert frame["bucket"].to_list() == ["head", "tail"]
    assert reasons(judge, TEXT, "corn the in mill") == [[], ["high_percentile"]]
    assert percentiles(np.array([1.0, 2, 3]))[50] == 2


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"models": {"en": "nowhere.ngram"}}, "cannot read the n-gram model nowhere.ngram"),
        ({"max_percentile": 60}, "percentiles need cutoffs"),
        ({"cutoffs": "nowhere.json"}, "cannot read cut-offs nowhere.json"),
    ],
)
def test_what_cannot_be_says_so(settings, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(Perplexity, settings, "test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" Café №12\n", "cafe №00"),
        ("Items\nNew", "itemsnew"),
        ("1,234.5", "0,000.0"),
        ("“Oui” — 100％…", '"oui"  -  000%...'),
    ],
)
def test_ccnet_normalises(text, expected):
    assert normalise(text) == expected
