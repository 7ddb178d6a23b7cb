"""Verdicts that depend on the learning rate are withheld; the size of the models and the pilot are told."""

import numpy as np
import pytest

from benchmarks.impact import SD
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.impact.arms import Arm
from gristmill.flows.impact.plan import OTHER_RATE, SAMPLES, ImpactPlan
from gristmill.flows.impact.rates import check_rates, depends_on_rate, describe_agreement
from gristmill.flows.impact.recipe import Heldout, ImpactRecipe, Rates
from gristmill.flows.impact.run import rounds
from gristmill.flows.impact.sentences import legend, sentence, small_model
from gristmill.flows.impact.verdicts import Scored, compare_arms, series
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings
from gristmill.pretrain.impact.significance import BETTER, EQUAL, Interval, compare

PLAN = ImpactPlan(
    ImpactRecipe(heldout=Heldout(sets={"books": ["books.txt"]})),
    [Arm("raw", "raw", Recipe()), Arm("full", "full", Recipe(), against="raw")],
)


def judged(effect, other_effect, seed=0, parts=0):
    """The row of an experiment of 6 seeds, and 3 at the other rate, with planted effects of "full"."""
    rng, losses = np.random.default_rng(seed), {}
    for arm, here, there in (("raw", 0.0, 0.0), ("full", effect, other_effect)):
        losses[arm] = rng.normal(2.5 + here, SD, 6)
        losses[series(arm, OTHER_RATE)] = rng.normal(2.0 + there, SD, 3)
    bits = {arm: each[:, None] + np.linspace(-0.1, 0.1, 40) for arm, each in losses.items()}
    scored = Scored({arm: each * 400 * np.log(2) for arm, each in bits.items()}, np.full(40, 400), np.full(40, "books"))
    (look, *_) = PLAN.looks
    (row,) = rows = compare_arms(PLAN, scored._replace(parts=parts), look)
    check_rates(PLAN, scored._replace(parts=parts), look, rows)
    return row, scored


def test_a_verdict_that_another_rate_turns_is_withheld():
    row, scored = judged(-0.1, +0.1)
    assert row["verdict"] == "undecided" and row["delta"] < 0 < row["other_rate"]["delta"]
    said = sentence(row | {"needed_bytes": None}, "books", 240_000)
    assert "undecided: the ranking depends on the learning rate (-0." in said and "at the tuned rate" in said
    rates = describe_agreement(PLAN, scored)["rates"]
    assert rates["tau"] == -1 and rates["tau_interval"] == [-1, -1]


@pytest.mark.parametrize(("effect", "other_effect"), [(-0.1, -0.1), (-0.1, 0.0), (-0.1, -0.01), (0.1, 0.4)])
def test_a_rate_that_shows_less_or_more_contradicts_nothing(effect, other_effect):
    row, _ = judged(effect, other_effect)
    assert row["verdict"] == ("better" if effect < 0 else "worse") and row["other_rate"]["holds"]


@pytest.mark.parametrize(("sampled", "verdict"), [(-0.1, "better"), (0.1, "no difference seen")])
def test_a_short_arm_is_better_if_samples_of_the_other_as_large_agree(sampled, verdict):
    rng = np.random.default_rng(0)
    losses = {"raw": 2.5, "full": 2.4, series("full", SAMPLES): 2.5 + sampled}
    nats = {arm: (rng.normal(loss, SD, 6)[:, None] + np.zeros(40)) * 400 * np.log(2) for arm, loss in losses.items()}
    scored = Scored(nats, np.full(40, 400), np.full(40, "books"))
    (row,) = compare_arms(PLAN, scored, PLAN.looks[0])
    assert row["verdict"] == verdict


def test_runs_without_documents_of_their_own_are_not_checked():
    row, _ = judged(-0.1, 0.1, parts=1)
    assert row["verdict"] == "withheld" and row["other_rate"] is None


@pytest.mark.parametrize(
    ("verdict", "delta", "other", "change", "depends"),
    [
        (BETTER, -0.1, 0.05, (-0.2, -0.1), True),
        (BETTER, -0.1, 0.05, (-0.2, 0.0), False),  # the change may be chance
        (BETTER, -0.1, 0.0, (-0.2, -0.1), False),  # nothing to see is no other sign
        (EQUAL, 0.001, 0.5, (0.0, 0.0), True),
        (EQUAL, 0.001, 0.004, (0.0, 0.0), False),
        ("no difference seen", -0.1, 0.5, (-0.9, -0.1), False),
    ],
)
def test_what_depends_on_the_rate(verdict, delta, other, change, depends):
    tight = compare([other + each for each in (0.0, 1e-4, -1e-4)], [0.0, 1e-4, -1e-4])
    assert depends_on_rate(verdict, delta, 0.01, tight, Interval(*change)) == depends


@pytest.mark.parametrize(("effect", "expected"), [(-0.1, [set(), {"raw", "full"}]), (0.0, [set()])])
def test_only_arms_of_a_finding_are_trained_at_the_other_rate(effect, expected):
    asked = []

    def train(wanted, checked):
        asked.append(set(checked))
        return judged(effect, effect)[1]

    rounds(PLAN, train)
    assert asked == expected


def test_an_arm_with_fewer_distinct_tokens_is_named():
    row, _ = judged(0.1, 0.1)
    row |= {"needed_bytes": None, "epochs": [0.4, 8.0]}
    assert "raw has fewer distinct tokens: at equal tokens, a run reads its text 8.0 times, the other's 0.4 times" in (
        sentence(row, "books", 240_000)
    )
    assert "distinct" not in sentence(row | {"epochs": [1.5, 3.0]}, "books", 240_000)


def test_small_models_are_named_with_what_is_known_of_them():
    assert small_model(15_200_000) == ""
    assert "fewer were not measured" in small_model(240_000) and "0.73 with 1 M" in small_model(240_000)
    assert "between these it rose" in small_model(4_500_000)


def test_the_legend_names_rates_and_agreement():
    agreed = {"tau": 0.5, "tau_interval": [0.0, 1.0], "rho": 0.6, "pairs": 0.75}
    report = {
        "parts": 1,
        "short": {},
        "spread": {},
        "rates": Rates().model_dump(),
        "questions": [],
        "arms": [{"parameters": 1.1e6}],
    }
    text = " ".join(legend(report | {"agreement": {"rates": agreed | {"arms": 4}, "seeds": None}}))
    assert "The losses at 0.1 times the tuned learning rate decide. Rankings at a low rate held" in text
    assert "rank 75% of the pairs of arms alike (Kendall's tau 0.50, 95 % interval 0.00 to 1.00" in text


def test_one_run_at_the_other_rate_checks_nothing():
    with pytest.raises(RecipeError, match="check_seeds 1 shows nothing about chance"):
        read_settings(Rates, {"check_seeds": 1}, "test")
