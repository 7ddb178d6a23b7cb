"""The classifier filter: three ways to cut, all from one measure; chance that ids decide."""

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.filters.classifier.filter import Classifier, max_pareto_alpha
from gristmill.filters.classifier.roc import RocCurve
from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.format import write_fasttext
from gristmill.filters.fasttext.train import FastTextSettings, train
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

LABELS = ["__label__hq", "__label__lq"]
GOOD, BAD = "the mill grinds the corn", "win cash now"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = UPath(tmp_path_factory.mktemp("models")) / "m.bin"
    texts, targets = [GOOD, BAD] * 40, np.array([0, 1] * 40)
    write_fasttext(path, *train([Ragged.from_strings(texts)], targets, LABELS, FastTextSettings(buckets=500)))
    (path.parent / "m.bin.json").write_bytes(orjson.dumps({"threshold": 0.5}))
    (path.parent / "percentiles.json").write_bytes(orjson.dumps({"*": np.linspace(0, 1, 101).tolist()}))
    (path.parent / "other.json").write_bytes(orjson.dumps({"en": np.linspace(0, 1, 101).tolist()}))
    return str(path)


def batch(*texts, ids=None):
    ids = [str(i) for i in range(len(texts))] if ids is None else ids
    return Batch(Ragged.from_strings(list(texts)), ids=Ragged.from_strings(ids))


def reasons(classifier, frame):
    broken = decide(classifier, frame, np.full(len(frame), "", object))
    return [[rule["rule"] for rule in each] for each in broken.to_list()]


def test_scores_tell_good_from_bad_and_a_blank_has_none(model):
    good, bad, blank = Classifier(model=model).measure(batch(GOOD, BAD, " \n"))["score"]
    assert good > 0.5 > bad > blank == 0
    other = Classifier(model=model, label="__label__lq").measure(batch(GOOD, BAD))["score"]
    assert other.to_list() == pytest.approx([1 - good, 1 - bad], abs=1e-6)


@pytest.mark.parametrize("settings", [{"min_score": 0.5}, {"min_score": "auto"}, {"min_percentile": 50}])
def test_each_cut_on_both_sides(model, settings):
    if "min_percentile" in settings:
        settings["percentiles_file"] = model.replace("m.bin", "percentiles.json")
    classifier = Classifier(model=model, **settings)
    rule = "percentile_too_low" if "percentiles_file" in settings else "score_too_low"
    assert reasons(classifier, classifier.measure(batch(GOOD, BAD))) == [[], [rule]]


@given(st.lists(st.text(max_size=8), min_size=1, unique=True), st.floats(0.1, 30), st.floats(0, 1))
def test_chance_is_gpt_3s(ids, alpha, score):
    """A Pareto draw by inversion, against 1 - score."""
    u = uniform_by_id(Ragged.from_strings(ids), "classifier")
    pareto = u ** (-1 / alpha) - 1
    found, edge = alpha < max_pareto_alpha(np.full(u.size, score), u), np.abs(pareto - 1 + score) < 1e-9
    assert np.all((found == (pareto > 1 - score)) | edge)


def test_of_documents_with_one_score_pareto_keeps_as_many_as_it_should(model):
    ids = [f"document {i}" for i in range(4000)]
    classifier = Classifier(model=model, pareto_alpha=9.0)
    frame = classifier.measure(batch(*[GOOD] * 4000, ids=ids))
    kept = sum(not rules for rules in reasons(classifier, frame)) / 4000
    assert kept == pytest.approx((2 - frame["score"][0]) ** -9, abs=0.03)


def test_chance_is_the_ids_alone(model):
    classifier = Classifier(model=model, pareto_alpha=3.0)
    ids = [str(i) for i in range(50)]
    whole = classifier.measure(batch(*[BAD] * 50, ids=ids))
    parts = [classifier.measure(batch(*[BAD] * len(part), ids=part)) for part in (ids[:7], ids[7:])]
    assert whole.equals(pl.concat(parts))
    assert 0 < sum(map(bool, reasons(classifier, whole))) < 50
    without = classifier.measure(Batch(Ragged.from_strings([BAD])))
    assert reasons(classifier, without) == [[]]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "model: Field required"),
        ({"model": "nowhere.bin"}, "cannot read the fastText model nowhere.bin"),
        ({"label": "__label__good"}, r"has no label '__label__good'; it has __label__hq, __label__lq"),
        (
            {"min_percentile": 90},
            "min_percentile needs percentiles_file; `gristmill classifier score --write-percentiles",
        ),
        (
            {"min_percentile": 90, "percentiles_file": "nowhere.json"},
            "classifier score --write-percentiles FILE` writes it",
        ),
        ({"min_percentile": 90, "percentiles_file": "other.json"}, r"has no percentiles '\*'"),
    ],
)
def test_what_cannot_be_says_so(model, settings, complaint):
    settings = {"model": model} | settings if settings else settings
    if settings.get("percentiles_file") == "other.json":
        settings["percentiles_file"] = model.replace("m.bin", "other.json")
    with pytest.raises(RecipeError, match=complaint):
        read_settings(Classifier, settings, "test")


def test_a_model_of_others_has_no_chosen_threshold(model, tmp_path):
    (tmp_path / "alone.bin").write_bytes(UPath(model).read_bytes())
    with pytest.raises(RecipeError, match=r"which holds the threshold of .*alone\.bin; set min_score"):
        read_settings(Classifier, {"model": str(tmp_path / "alone.bin"), "min_score": "auto"}, "test")


scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=12).map(np.array)


@given(scores, scores)
def test_curves_are_those_of_counting(good, bad):
    curve = RocCurve.from_scores(good, bad)
    for i, threshold in enumerate(curve.thresholds):
        assert curve.recall[i] == np.mean(good >= threshold) and curve.false_positive_rate[i] == np.mean(
            bad >= threshold
        )
        kept = np.concatenate((good, bad)) >= threshold
        assert curve.precision[i] == kept[: good.size].sum() / kept.sum()
        assert curve.at(threshold) == {
            "recall": curve.recall[i],
            "false_positive_rate": curve.false_positive_rate[i],
            "precision": curve.precision[i],
        }
    pairs = good[:, None] - bad
    assert curve.auc() == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    gains = [np.mean(good >= t) - np.mean(bad >= t) for t in curve.thresholds]
    assert np.mean(good >= curve.youden_threshold()) - np.mean(bad >= curve.youden_threshold()) == max(gains)


def test_a_cut_between_scores_and_above_all():
    curve = RocCurve.from_scores(np.array([0.2, 0.8]), np.array([0.1, 0.6]))
    assert curve.at(0.7) == {"recall": 0.5, "false_positive_rate": 0.0, "precision": 1.0}
    assert curve.at(0.9) == {"recall": 0.0, "false_positive_rate": 0.0, "precision": 1.0}
    assert curve.at(0.0)["recall"] == 1
    assert curve.average_precision() == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
