"""Strings with surrogates, which have no UTF-8: as tiktoken encodes them."""

from collections.abc import Iterable

from gristmill.pipelines.ragged import Ragged


def valid_text(text: str) -> str:
    """Return the string with surrogate pairs joined and lone ones replaced by U+FFFD, as tiktoken does."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def from_texts(texts: Iterable[str]) -> Ragged:
    """Return the rows of the strings, with surrogates as ``valid_text`` gives them."""
    strings = [*texts]
    try:
        return Ragged.from_strings(strings)
    except UnicodeEncodeError:
        return Ragged.from_strings([*map(valid_text, strings)])
