"""Every filter a recipe can name."""

from filters.c4 import C4
from filters.filter import Filter
from filters.fineweb import FineWeb
from filters.gopher import Gopher
from filters.noise import Noise
from filters.repetition import Repetition

FILTERS: dict[str, type[Filter]] = {kind.NAME: kind for kind in (C4, FineWeb, Gopher, Noise, Repetition)}
