"""Words: the one scan of a text that every counting rule shares."""

from typing import NamedTuple

import numpy as np

from pipelines.ragged import Ragged


class Words(NamedTuple):
    """The words of document i are ``offsets[i]:offsets[i + 1]``; word j is the bytes ``start[j]:end[j]`` of the text."""

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int64[m]
    end: np.ndarray  # int64[m]


def unicode_words(text: Ragged) -> Words:
    raise NotImplementedError
