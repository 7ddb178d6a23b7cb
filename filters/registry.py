"""Every filter a recipe can name."""

from filters.filter import Filter

FILTERS: dict[str, type[Filter]] = {}
