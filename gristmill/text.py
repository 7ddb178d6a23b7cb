"""Questions about single texts: personal data in them, and their language."""

from collections.abc import Sequence
from typing import NamedTuple, cast, overload

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.langid.filter import Language
from gristmill.filters.langid.models import ENSEMBLE
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.pii import STEP, pii_recipe
from gristmill.options import Settings, changes_of
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings


class PiiMatch(NamedTuple):
    """Personal data in a text: ``text[start:end] == value``, and the replacement that `clean` would write."""

    type: str
    start: int
    end: int
    value: str
    replacement: str


class LanguageGuess(NamedTuple):
    """Language of a text, ISO 639-1 or 639-3, and its probability; ``und`` and 0 for a blank text."""

    language: str
    probability: float


@overload
def scan_pii(
    text: str, *, types: Sequence[str] | None = ..., language: str | None = ..., settings: Settings | None = ...
) -> list[PiiMatch]: ...
@overload
def scan_pii(
    text: list[str] | tuple[str, ...],
    *,
    types: Sequence[str] | None = ...,
    language: str | None = ...,
    settings: Settings | None = ...,
) -> list[list[PiiMatch]]: ...
def scan_pii(
    text: str | list[str] | tuple[str, ...],
    *,
    types: Sequence[str] | None = None,
    language: str | None = None,
    settings: Settings | None = None,
) -> list[PiiMatch] | list[list[PiiMatch]]:
    """Return the personal data in a text, in its order; for several texts, a list for each.

    ``types`` are those to find, or changes of the default such as ``["+person", "-phone"]``; ``language`` (``"de"``)
    adds national ids, phones and words of a language. ``settings`` change others, such as ``pii.replacement``.

    >>> gm.scan_pii("Write to ada@mill.org.")
    [PiiMatch(type='email', start=9, end=21, value='ada@mill.org', replacement='<EMAIL>')]
    >>> [match.type for match in gm.scan_pii("From 81.2.69.142, by Mr. John Miller", types=["+person", "-ip"])]
    ['person']
    """
    texts = [text] if isinstance(text, str) else list(text)
    changes = changes_of({**(settings or {}), **({} if types is None else {f"{STEP}.types": list(types)})})
    step = cast(PiiFilter, pii_recipe([], changes).steps[STEP])
    languages = None if language is None else np.full(len(texts), language, object)
    spans, _ = step.rewrite(Batch(_ragged(texts), languages))
    found: list[list[PiiMatch]] = [[] for _ in texts]
    row = -1
    for span in spans.to_pylist():
        if span["row"] != row:
            row, at, characters = span["row"], 0, 0
            data = _utf8(texts[row])
        end = span["offset"] + span["length"]
        start = characters + len(data[at : span["offset"]].decode())
        at, characters = end, start + len(data[span["offset"] : end].decode())
        value = texts[row][start:characters]
        found[row].append(PiiMatch(span["reason"], start, characters, value, span["replacement"]))
    return found[0] if isinstance(text, str) else found


@overload
def detect_language(text: str, *, model: str = ...) -> LanguageGuess: ...
@overload
def detect_language(text: list[str] | tuple[str, ...], *, model: str = ...) -> list[LanguageGuess]: ...
def detect_language(
    text: str | list[str] | tuple[str, ...], *, model: str = ENSEMBLE
) -> LanguageGuess | list[LanguageGuess]:
    """Return the language of a text with its probability; for several texts, a list.

    ``model`` is lid.176+py3langid, lid.176, py3langid, pycld2, or file:PATH of any fastText model. Texts at once are
    faster than one after another.

    >>> gm.detect_language("The mill grinds slowly, but it grinds exceedingly fine.").language
    'en'
    >>> [guess.language for guess in gm.detect_language(["Die Mühle mahlt langsam, aber fein.", ""])]
    ['de', 'und']
    """
    texts = [text] if isinstance(text, str) else list(text)
    measures = read_settings(Language, {"model": model}, "detect_language").measure(Batch(_ragged(texts)))
    guesses = [LanguageGuess(*row) for row in measures.select("label", "probability").iter_rows()]
    return guesses[0] if isinstance(text, str) else guesses


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate, which JSON may hold, counts as "?"


def _ragged(texts: list[str]) -> Ragged:
    return Ragged.from_strings([_utf8(text) for text in texts])
