"""Shares, temperature and epochs of sources."""

import numpy as np
import pytest

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.tokens.mixing import count_copies, mix, weights
from gristmill.pipelines.tokens.settings import TokenSettings

TOKENS = {"web": 8000, "books": 1000, "code": 1000}


def epochs(**settings):
    return {s.name: round(s.epochs, 6) for s in mix(TOKENS, dict.fromkeys(TOKENS, 10), TokenSettings(**settings))}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"web": 1, "books": 1, "code": 1}),
        ({"epochs": {"books": 3.0}}, {"web": 1, "books": 3, "code": 1}),
        ({"weights": {"books": 0.5, "code": 0.25, "web": 0.25}}, {"books": 1, "code": 0.5, "web": 0.0625}),
        (
            {"weights": {"books": 0.5, "code": 0.25, "web": 0.25}, "train_tokens": 4000},
            {"books": 2, "code": 1, "web": 0.125},
        ),
        ({"weights": {"books": 0.5}, "train_tokens": 6000}, {"books": 3, "web": 0.333333, "code": 0.333333}),
        ({"temperature": 1e9, "train_tokens": 3000}, {"web": 0.125, "books": 1, "code": 1}),
        ({"temperature": 1e9}, {"web": 0.125, "books": 1, "code": 1}),
        ({"train_tokens": 5000}, {"web": 0.5, "books": 0.5, "code": 0.5}),
        ({"train_tokens": 6000, "epochs": {"books": 2.0}}, {"books": 2, "web": 0.444444, "code": 0.444444}),
        (
            {"weights": {"web": 0.5, "code": 0.5}, "epochs": {"books": 4.0}, "train_tokens": 3000},
            {"books": 4, "web": 0, "code": 0},
        ),
        ({"epochs": {"books": 4.0}, "train_tokens": 3000}, {"books": 4, "web": 0, "code": 0}),
        ({"weights": {"web": 1.0, "books": 0.0, "code": 0.0}}, {"web": 1, "books": 0, "code": 0}),
    ],
)
def test_epochs_by_source(settings, expected):
    assert epochs(**settings) == expected


def test_shares_add_up_to_one():
    mixture = mix(TOKENS, dict.fromkeys(TOKENS, 10), TokenSettings(temperature=2.0))
    assert sum(source.share for source in mixture) == pytest.approx(1)
    shares = {source.name: source.share for source in mixture}
    assert shares["web"] / shares["code"] == pytest.approx(8**0.5)


def test_the_lowest_temperature_overflows_for_no_corpus():
    web, books = mix({"web": 10**15, "books": 10}, {"web": 9, "books": 1}, TokenSettings(temperature=0.05))[::-1]
    assert web.epochs == 1 and 0 < books.epochs < 1e-9


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"weights": {"wep": 0.5}}, "source 'wep': did you mean 'web'"),
        ({"epochs": {"nothing": 2.0}}, "source 'nothing'"),
        ({"weights": {"code": 0.9}, "train_tokens": 10_000}, "'code' needs 9.0 epochs of its 1,000 tokens"),
        ({"train_tokens": 100_000}, "needs 10.0 epochs"),
    ],
)
def test_what_cannot_be_mixed(settings, complaint):
    with pytest.raises(RecipeError, match=complaint):
        mix(TOKENS, dict.fromkeys(TOKENS, 10), TokenSettings(**settings))


def test_copies_are_whole_epochs_and_a_share_of_one_more():
    hashes = np.random.default_rng(0).integers(0, 2**64, 10_000, np.uint64)
    source = np.arange(10_000) % 3
    often = count_copies(np.array([0.0, 1.0, 2.25])[source], hashes)
    assert set(often[source == 0]) == {0} and set(often[source == 1]) == {1} and set(often[source == 2]) == {2, 3}
    assert often[source == 2].mean() == pytest.approx(2.25, abs=0.03)


@pytest.mark.parametrize(
    ("upsample", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({2: 2.5, 4: 0.5}, [1, 1, 2.5, 2.5, 0.5, 0.5]),
        ({1: 0.0}, [1, 0, 0, 0, 0, 0]),
        ({5: 3.0, 1: 2.0}, [1, 2, 2, 2, 2, 3]),
    ],
)
def test_a_size_has_the_weight_of_the_largest_size_up_to_it(upsample, expected):
    assert weights(np.arange(6), upsample).tolist() == expected


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"0": 1.0}, "upsample.0"),
        ({"many": 1.0}, "upsample.many"),
        ({"2": -1.0}, "upsample.2"),
        ({"2": 1001}, "upsample.2"),
        ([2], "upsample"),
    ],
)
def test_a_cluster_size_is_a_number_from_one(table, complaint):
    with pytest.raises(RecipeError, match=complaint):
        read_settings(TokenSettings, {"upsample": table}, "[tokens]")


def test_sizes_are_read_as_toml_and_json_write_them():
    settings = read_settings(TokenSettings, {"upsample": {"1": 1, "2": 2.5}}, "[tokens]")
    assert settings.upsample == {1: 1.0, 2: 2.5} and TokenSettings(**settings.model_dump(mode="json")) == settings
