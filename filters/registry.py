"""Every filter a recipe can name."""

from filters.c4 import C4
from filters.filter import Filter
from filters.fineweb import FineWeb
from filters.gopher import Gopher
from filters.keywords import Keywords
from filters.language import Language
from filters.noise import Noise
from filters.repetition import Repetition

KINDS = (Language, C4, Gopher, Repetition, FineWeb, Noise, Keywords)
FILTERS: dict[str, type[Filter]] = {kind.NAME: kind for kind in KINDS}
