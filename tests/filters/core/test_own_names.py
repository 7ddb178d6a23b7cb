"""Names of filters: a class without NAME has its own, whatever mixins it has."""

from typing import ClassVar

from gristmill.filters.core.filter import Filter
from gristmill.filters.core.own import BatchFilter
from gristmill.filters.registry import FILTERS, VARIANT_KINDS, VARIANTS
from gristmill.filters.rules.gopher import Gopher


class Mixin(Filter):
    pass


class Named(Filter):
    NAME: ClassVar[str] = "named"


class Both(Mixin, Named):
    pass


class Child(Mixin):
    pass


class Derived(BatchFilter, Gopher):
    pass


def test_a_given_name_is_inherited_and_another_class_has_its_own():
    assert [kind.NAME for kind in (Mixin, Named, Both, Child, Derived)] == [
        "Mixin",
        "named",
        "named",
        "Child",
        "gopher",
    ]
    assert {kind.NAME for kind in VARIANT_KINDS} == set(VARIANTS) and all(n == k.NAME for n, k in FILTERS.items())
    assert sum(map(len, VARIANTS.values())) == len(VARIANTS) + len(VARIANT_KINDS)
