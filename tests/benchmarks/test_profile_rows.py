"""Rows of the benchmark of language profiles: junk is found and good text stays, in languages of made-up words."""

import hashlib
import random

import pytest

from benchmarks.profiles import EACH, KINDS, junk, measure, row
from gristmill.flows.clean.recipe import read_recipe

WORDS = {
    "xa": ["na", "ya", "kwa", "mto", "nafaka", "unga"],
    "xb": ["strg", "prmt", "zvlcht", "grstml", "qvrtz", "mlzn"],
}


def texts(language: str, count: int = 80) -> list[tuple[bytes, str]]:
    rng = random.Random(language)
    rare = [f"{word}{k}" for word in WORDS[language] for k in range(60)]

    def line() -> str:
        return " ".join(rng.choice(WORDS[language] if rng.random() < 0.6 else rare) for _ in range(14)) + "."

    made = ["\n".join(line() for _ in range(rng.randint(12, 20))) for _ in range(count)]
    return sorted((hashlib.sha256(f"{language}{k}".encode()).digest(), text) for k, text in enumerate(made))


def test_every_kind_of_junk_has_as_many_documents():
    made = junk(texts("xa"), [text for _, text in texts("xb")], random.Random(1))
    assert tuple(made) == KINDS and {len(each) for each in made.values()} == {EACH}


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_profile_finds_what_a_guess_does_not(noise):
    steps = {name: step for name, step in read_recipe("clean-corpus").steps.items() if name in ("gopher", "fineweb")}
    others = [text for _, text in texts("xb")]
    english = measure(steps, others, "en", "unicode")
    found = row("xa", texts("xa"), ("guessed", "data", "mean-std"), steps, others, english, noise, "unicode")
    guessed, data, _ = found
    assert guessed["salad"] == guessed["other"] == 0 < 90 < min(data["salad"], data["other"])
    assert data["false"] <= 5 and [each["method"] for each in found] == ["guessed", "data", "mean-std"]
