"""Language profiles: what rules must know of a language. One TOML file each, in ``filters/languages/``.

A profile lists its languages (ISO 639-1 labels of the language step), its stop words, and the thresholds that differ
from the defaults, by filter. A document whose language no profile lists is judged by ``neutral``; where the recipe
has no language step, the profile is "" and every filter's own defaults hold.
"""

import tomllib
from functools import cache
from pathlib import Path

import numpy as np

NO_PROFILE, NEUTRAL = "", "neutral"
FOLDER = Path(__file__).parents[1] / "languages"


@cache
def profiles() -> dict[str, dict]:
    """Every profile by name."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def _by_language() -> dict[str, str]:
    return {language: name for name, profile in profiles().items() for language in profile.get("languages", ())}


def profile_of(language: np.ndarray) -> np.ndarray:
    """Language labels str[n] -> profile names object[n]."""
    names, rows = np.unique(language.astype(str), return_inverse=True)
    return np.array([_by_language().get(name, NEUTRAL) for name in names], object)[rows]


def profile_settings(profile: str, filter_name: str) -> dict:
    """The settings a profile overrides for one filter; none for a profile that is not known."""
    return profiles().get(profile, {}).get(filter_name, {})


def stop_words(profile: str) -> list[str]:
    """The profile's stop words, lower case; none where it has no list."""
    return profiles().get(profile, {}).get("stop_words", [])
