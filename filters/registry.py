"""Every filter a recipe can name."""

from filters.c4 import C4
from filters.filter import Filter
from filters.fineweb import FineWeb
from filters.gopher import Gopher
from filters.keywords import Keywords
from filters.language import Language
from filters.repetition import Repetition

FILTERS: dict[str, type[Filter]] = {kind.NAME: kind for kind in (Language, C4, FineWeb, Gopher, Repetition, Keywords)}
