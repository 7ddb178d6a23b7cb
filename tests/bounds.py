"""Values on both sides of each bound of a settings class."""

from collections.abc import Iterator
from math import inf, nextafter
from typing import get_args

from annotated_types import Ge, Gt, Le, Lt

from gristmill.pipelines.settings import Settings


def edges(kind: type[Settings]) -> Iterator[tuple[str, float, float]]:
    """Yield name, last allowed value and first refused value of each bound; raise AssertionError for a missing one.

    A number has a lower bound, a float an upper one, too.
    """
    for name, field in kind.model_fields.items():
        number = {field.annotation, *get_args(field.annotation)} & {int, float}
        bounds = [bound for bound in field.metadata if isinstance(bound, Ge | Gt | Le | Lt)]
        if not number:
            continue
        assert any(isinstance(bound, Ge | Gt) for bound in bounds), f"{kind.__name__}.{name} has no lower bound"
        assert number == {int} or len(bounds) == 2, f"{kind.__name__}.{name} has no upper bound"
        for bound in bounds:
            match bound:
                case Ge(ge=limit) | Le(le=limit):
                    yield name, limit, _next(limit, isinstance(bound, Le), number == {int})
                case Gt(gt=limit) | Lt(lt=limit):
                    yield name, _next(limit, isinstance(bound, Gt), number == {int}), limit


def _next(limit: float, up: bool, whole: bool) -> float:
    return limit + (1 if up else -1) if whole else nextafter(limit, inf if up else -inf)
