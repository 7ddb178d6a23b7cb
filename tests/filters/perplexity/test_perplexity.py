"""The perplexity filter: two-sided, by model, by percentile, and CCNet's normalization."""

import math

import numpy as np
import orjson
import pytest
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.percentiles import percentiles
from gristmill.filters.ngram.formats.arpa import write_arpa
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.ccnet_normalize import normalize_document
from gristmill.filters.perplexity.filter import Perplexity
from gristmill.filters.perplexity.mahalanobis import MahalanobisModel, write_reference
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

TEXT = "The mill grinds the corn .\nThe miller sells the flour in the town ."


def batch(*texts, language=None):
    return Batch(Ragged.from_strings(list(texts)), None if language is None else np.array(language))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "en.ngram"
    train([batch(*[TEXT] * 3)], NGramSettings(order=3, discount_fallback=[0.5, 1, 1.5])).save(UPath(path))
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
    assert blank["perplexity"] == blank["bits_per_byte"] == blank["context_gain"] == 0
    assert odd["unknown"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        ("perplexity_too_high", {"max_perplexity": 10.0}),
        ("perplexity_too_low", {"min_perplexity": 1000.0}),
        ("context_gain_too_low", {"min_context_gain": 0.5}),
    ],
)
def test_each_rule_on_both_sides(model, rule, settings):
    found = reasons(Perplexity(models={"en": model}, **settings), TEXT, "corn the in mill", language=["en", "en"])
    expected = [[rule], [rule]] if rule == "perplexity_too_low" else [[], [rule]]
    assert found == expected


def test_only_documents_with_a_model_are_judged(model):
    for settings, rule in (
        ({"max_perplexity": 1.0}, "perplexity_too_high"),
        ({"min_perplexity": 1e9}, "perplexity_too_low"),
    ):
        assert reasons(Perplexity(models={"en": model}, **settings), TEXT, TEXT, language=["de", "en"]) == [[], [rule]]


def test_percentiles_and_buckets(model, tmp_path):
    values = np.linspace(1, 20, 101).tolist()
    (tmp_path / "percentiles.json").write_bytes(orjson.dumps({"*": values}))
    judge = Perplexity(
        models={"*": model}, percentiles_file=str(tmp_path / "percentiles.json"), max_percentile=60, min_percentile=1
    )
    frame = judge.measure(batch(TEXT, "corn the in mill"))
    assert frame["bucket"].to_list() == ["head", "tail"]
    assert reasons(judge, TEXT, "corn the in mill") == [[], ["percentile_too_high"]]
    assert percentiles(np.array([1.0, 2, 3]))[50] == 2


def sample(seed, count):
    chance = np.random.default_rng(seed)
    words = np.array(TEXT.split())
    return [" ".join(chance.choice(words, chance.integers(5, 30))) + "\n" + TEXT for _ in range(count)]


def test_distance_from_a_reference_sample(model, tmp_path):
    plain = Perplexity(models={"*": model})
    frame = plain.measure(batch(*sample(1, 60)))
    assert frame["mahalanobis"].to_list() == [0] * 60
    measures = [frame[name].to_numpy() for name in ("perplexity", "bits_per_byte", "context_gain")]
    reference = MahalanobisModel.from_measures(*measures)
    places = np.column_stack((np.log(np.log(measures[0])), np.log(measures[1]), measures[2]))
    away = places - places.mean(axis=0)
    expected = np.sqrt([row @ np.linalg.inv(np.cov(places.T)) @ row for row in away])
    np.testing.assert_allclose(reference.distance(*measures), expected, rtol=1e-6)
    assert np.mean(expected**2) == pytest.approx(3 * 59 / 60)
    write_reference(str(tmp_path / "reference.json"), "*", reference)
    judge = Perplexity(models={"*": model}, reference_stats=str(tmp_path / "reference.json"), max_mahalanobis=6.0)
    texts = [*sample(2, 20), "zebra quagga " * 30, ""]
    assert reasons(judge, *texts) == [[]] * 20 + [["mahalanobis_too_high"], []]


def test_too_few_documents_are_no_reference_sample():
    with pytest.raises(InputError, match="3 documents with words are no reference sample"):
        MahalanobisModel.from_measures(*np.random.default_rng(0).uniform(1, 2, (3, 3)))
    MahalanobisModel.from_measures(*np.random.default_rng(0).uniform(1, 2, (3, 30)))
    with pytest.raises(InputError, match="29 documents"):
        MahalanobisModel.from_measures(*np.random.default_rng(0).uniform(1, 2, (3, 29)))
    with pytest.raises(InputError, match="at least 30 documents that differ"):
        MahalanobisModel.from_measures(*np.ones((3, 50)))


def test_kenlm_models_score_as_ours_and_over_pieces(model, tmp_path):
    pytest.importorskip("kenlm")
    sentencepiece = pytest.importorskip("sentencepiece")
    arpa = tmp_path / "m.arpa"
    with arpa.open("wb") as file:
        write_arpa(NGram.open(UPath(model)), file)
    texts = [TEXT, "", "corn zebra", "the <s> mill </s>\n\nMore ."]
    ours, theirs = (Perplexity(models={"*": path}, lines=True).measure(batch(*texts)) for path in (model, str(arpa)))
    for name in ("log10", "tokens", "unknown", "context_gain", "perplexity"):
        np.testing.assert_allclose(ours[name].to_numpy(), theirs[name].to_numpy(), rtol=1e-3, atol=1e-4)
    assert ours["line_tokens"].to_list() == theirs["line_tokens"].to_list()
    (tmp_path / "text").write_text((TEXT + "\n") * 20)
    options = {"vocab_size": 25, "model_prefix": str(tmp_path / "sp"), "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(input=str(tmp_path / "text"), **options)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "sp.model"))
    lines = [" ".join(pieces.encode(line, out_type=str)) for line in TEXT.splitlines()] * 5
    spaced = train([batch("\n\n".join(lines))], NGramSettings(order=2, discount_fallback=[0.5, 1, 1.5]))
    with (tmp_path / "pieces.arpa").open("wb") as file:
        write_arpa(spaced, file)
    over = Perplexity(
        models={"*": str(tmp_path / "pieces.arpa")}, sentencepiece_models={"*": str(tmp_path / "sp.model")}
    )
    row = over.measure(batch(TEXT)).row(0, named=True)
    assert row["tokens"] == sum(len(line.split()) for line in lines[:2]) + 2


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"models": {"en": "nowhere.ngram"}}, "cannot read the n-gram model nowhere.ngram"),
        ({"max_percentile": 60}, "max_percentile needs percentiles_file"),
        ({"percentiles_file": "nowhere.json"}, "cannot read percentiles_file nowhere.json"),
        ({"max_mahalanobis": 6.0}, "max_mahalanobis needs reference_stats"),
        ({"reference_stats": "nowhere.json"}, "cannot read reference_stats nowhere.json"),
    ],
)
def test_impossible_settings_are_refused(settings, complaint):
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
def test_ccnet_normalizes(text, expected):
    assert normalize_document(text) == expected
