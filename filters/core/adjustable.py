"""Settings of a filter that are thresholds: a change of one needs no new measures."""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from gristmill.filters.core.filter import Filter, Rule
from gristmill.pipelines.errors import GristmillError

NOWHERE = -(1 << 62)  # a value that no threshold has: the rule that takes it from a setting is the setting's rule
# Of rules() with that value: the setting selects a threshold, as a percentile does, but is none.
REFUSED = (LookupError, TypeError, ValueError, ArithmeticError, GristmillError)


class Adjustable(NamedTuple):
    """Setting that is a rule's threshold. An entry of a table has the setting ``min.score``."""

    rule: str
    setting: str
    whole: bool  # it takes whole numbers only


def adjustable_settings(step: Filter) -> Iterator[Adjustable]:
    """Yield each setting that is the threshold of a rule and changes no measure."""
    for name, field in type(step).model_fields.items():
        if name in step.MEASURED:
            continue
        if kinds := numeric_types(field.annotation):
            for rule, threshold in _rules_at(step, name, NOWHERE):
                if threshold.threshold == NOWHERE or NOWHERE in threshold.thresholds.values():
                    yield Adjustable(rule, name, float not in kinds)
        elif get_origin(field.annotation) is dict and numeric_types(get_args(field.annotation)[1]):
            table = getattr(step, name)
            for key in table:
                for rule, threshold in _rules_at(step, name, table | {key: NOWHERE}):
                    if threshold.threshold == NOWHERE:
                        yield Adjustable(rule, f"{name}.{key}", False)


def setting_of(step: Filter, path: str) -> Any:
    """Return the value of a setting, or of an entry of a table: ``min.score``; None for a missing entry."""
    name, _, key = path.partition(".")
    value = getattr(step, name)
    return value.get(key) if key else value


def _rules_at(step: Filter, name: str, value: Any) -> Iterable[tuple[str, Rule]]:
    """Return the rules when a setting has the value; none if they cannot be made."""
    try:
        return step.model_copy(update={name: value}).rules().items()
    except REFUSED:
        return ()


def numeric_types(annotation: Any) -> set[type]:
    """Return int and float where a type allows them."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return {kind for part in get_args(annotation) for kind in numeric_types(part)}
    return {annotation} if annotation in (int, float) else set()
