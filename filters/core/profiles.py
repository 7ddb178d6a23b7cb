"""Language profiles: one TOML file each, in filters/languages/.

A profile has its languages (ISO 639-1 labels of the language step, or ``code`` of the code step), its stop words, and
by filter the thresholds that differ from the defaults. A document in a language without a profile has the profile
``neutral``. If the recipe has no language step, the profile is "" and the defaults of each filter apply.

A recipe may give a language a profile of its own, by its label: ``[steps.gopher.profiles.sw]``. It changes the
thresholds that it names, and has all others from the shipped profile of the language, or from ``neutral``.
"""

import tomllib
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np

NO_PROFILE, NEUTRAL = "", "neutral"
FOLDER = Path(__file__).parents[1] / "languages"


@cache
def profiles() -> dict[str, dict]:
    """Return every profile by name."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def _by_language() -> dict[str, str]:
    return {language: name for name, profile in profiles().items() for language in profile.get("languages", ())}


def shipped_profile(name: str) -> str:
    """Return the shipped profile behind a language label or the name of a profile."""
    return name if name == NO_PROFILE or name in profiles() else _by_language().get(name, NEUTRAL)


def profile_of(language: np.ndarray, own: Collection[str] = ()) -> np.ndarray:
    """Return the profile name of each language label, object[n] for str[n].

    A label in ``own``, the profiles of a recipe, is the name of its own profile.
    """
    names, rows = np.unique(language.astype(str), return_inverse=True)
    found = [name if name in own else _by_language().get(name, NEUTRAL) for name in names]
    return np.array(found, object)[rows]


def profile_settings(profile: str, filter_name: str) -> dict:
    """Return the settings that a shipped profile overrides for one filter; none for an unknown profile."""
    return profiles().get(profile, {}).get(filter_name, {})


def stop_words(profile: str) -> list[str]:
    """Return the profile's stop words, in lower case; none if it has no list."""
    return profiles().get(profile, {}).get("stop_words", [])
