"""Every filter a recipe can name."""

from filters.c4 import C4
from filters.filter import Filter
from filters.fineweb import FineWeb
from filters.noise import Noise

FILTERS: dict[str, type[Filter]] = {kind.NAME: kind for kind in (C4, FineWeb, Noise)}
