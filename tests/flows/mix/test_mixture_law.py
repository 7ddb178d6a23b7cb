"""The law of mixtures against plain searches: its fit, its optimum, its caps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.flows.mix.mixture_law import MixtureLaw, best_shares, cap_shares, draw_shares, fit, optimize

NATURAL = np.array([0.4, 0.3, 0.3])
LAW = MixtureLaw(1.0, np.array([0.3, 0.35, 0.5]))
SWARM = np.array([draw_shares(NATURAL, np.ones(3), seed) for seed in range(30)])


def noisy(sd: float) -> np.ndarray:
    return LAW.loss(SWARM) + np.random.default_rng(0).normal(0, sd, len(SWARM))


def test_a_fit_without_noise_is_the_law():
    grid = np.random.default_rng(1).dirichlet(np.ones(3), 100)
    assert np.abs(fit(SWARM, noisy(0.0)).loss(grid) - LAW.loss(grid)).max() < 2e-3


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.lists(st.floats(0.4, 1), min_size=3, max_size=3))
def test_the_optimum_is_that_of_a_plain_search(slopes, caps):
    law, caps = MixtureLaw(0.5, np.array(slopes)), np.array(caps)
    shares = best_shares(law.slopes[None], NATURAL, caps, 0.05)
    assert shares.sum() == pytest.approx(1) and (shares <= caps + 1e-9).all()
    steps = np.linspace(0, 1, 41)
    grid = np.array([(a, b, 1 - a - b) for a in steps for b in steps if a + b <= 1 + 1e-12])
    grid = np.abs(grid[(grid <= caps + 1e-12).all(1)])

    def objective(p):
        return law.loss(p) + 0.05 * (p * np.log(np.maximum(p, 1e-300) / NATURAL)).sum(1)

    assert objective(shares[None])[0] <= objective(grid).min() + 1e-4


def test_a_bootstrap_finds_the_bad_source():
    found = optimize(SWARM, noisy(0.005)[:, None], NATURAL, np.ones(3), NATURAL[None], draws=40)
    low, high = np.quantile(found.draws, [0.025, 0.975], axis=0)
    assert high[2] < NATURAL[2] and (low <= high).all() and np.quantile(found.gains, 0.025) > 0


@given(st.lists(st.floats(0, 10), min_size=2, max_size=6), st.data())
def test_caps_hold(shares, data):
    shares = np.array(shares) + 1e-6
    caps = np.array(data.draw(st.lists(st.floats(0.01, 1), min_size=shares.size, max_size=shares.size)))
    caps = np.minimum(1, caps / min(1, caps.sum()))
    found = cap_shares(shares, caps)
    assert found.sum() == pytest.approx(1) and (found <= caps + 1e-9).all() and (found >= 0).all()
