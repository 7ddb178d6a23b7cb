"""Values for the templates: addresses that contain the whole query, totals, the panel of a threshold."""

from urllib.parse import quote, urlencode

import numpy as np

from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.query import ALL, KEPT, NEWLY_KEPT, NEWLY_REMOVED, REMOVED, Query, select_rows
from gristmill.flows.explorer.thresholds import Threshold, Thresholds
from gristmill.flows.report.rules import Looks
from gristmill.flows.report.svg import HEIGHT, histogram
from gristmill.flows.worth.saved import read_worth

COMPARISONS = {"<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least"}
BINS = 60  # of a threshold's histogram
PARAMETERS = ("reason", "violates", "source", "language", "text", "addresses")


def link(path: str, query: Query, *parts, **other) -> str:
    """Return the address of a page with the same query, updated by ``other``; None or "" removes a parameter.

    Every address contains the moved thresholds, so that they remain moved from page to page.
    """
    asked = {name: getattr(query, name) for name in PARAMETERS}
    asked["state"] = "" if query.state == ALL else query.state
    asked |= {name: value for name, value in other.items() if name != "changes"}
    pairs = [(name, value) for name, value in asked.items() if value not in ("", None)]
    pairs += [("set", change) for change in other.get("changes", query.changes)]
    address = "/".join([path, *(quote(str(part), safe="") for part in parts)])
    return f"{address}?{urlencode(pairs)}" if pairs else address


def pager(index: RunIndex, thresholds: Thresholds, query: Query) -> dict:
    """Return the number of documents in each state that match the other filters."""
    chosen = select_rows(index, thresholds, Query(**{**query.__dict__, "state": ALL}))
    kept = index.kept & chosen
    totals = {ALL: chosen, KEPT: kept, REMOVED: chosen & ~kept}
    if query.changes:
        after = thresholds.moved(query.changes).after
        totals |= {NEWLY_REMOVED: kept & ~after, NEWLY_KEPT: chosen & ~kept & after}
    return {"totals": {state: int(np.count_nonzero(mask)) for state, mask in totals.items()}}


def reasons(index: RunIndex) -> list[tuple[str, int, list[tuple[str, int, int]]]]:
    """Return each step with its removals, and its rules with removals and violations."""
    removed = np.bincount(index.first[index.first >= 0], minlength=len(index.rules)).tolist()
    steps: dict[str, list[tuple[str, int, int]]] = {}
    for (step, rule), first in zip(index.rules, removed, strict=True):
        steps.setdefault(step, []).append((rule, first, len(index.broken[step, rule])))
    return [
        (step, sum(first for _, first, _ in rules), sorted(rules, key=lambda rule: -rule[1]))
        for step, rules in steps.items()
    ]


def threshold_page(index: RunIndex, thresholds: Thresholds, query: Query, rule: str, profile: str) -> dict:
    """Return a threshold, the histogram of its measure, and the effect of all moved thresholds.

    Without ``rule``, the most violated one is chosen.
    """
    movable, changes = thresholds.adjustable, query.changes
    broken = {name: len(index.broken.get((each.step, each.rule), ())) for name, each in movable.items()}
    steps: dict[str, list[tuple[Threshold, int]]] = {}
    for name, each in movable.items():
        steps.setdefault(each.step, []).append((each, broken[name]))
    corpus_steps = [name for name in index.recipe.steps if name not in index.filters]
    profiles, paths = ("", *index.profile.names), {change.partition("=")[0] for change in changes}
    moved = {name for name, each in movable.items() if paths & {each.path(profile) for profile in profiles}}
    about = {"steps": steps, "corpus_steps": corpus_steps, "moved": moved, "chosen": None}
    about["outcome"] = thresholds.what_if(changes)
    if not movable:
        return about
    chosen = movable.get(rule) or movable[max(broken, key=lambda name: broken[name])]
    profile = profile if profile in index.profile.names else ""
    return about | {"chosen": chosen, "profile": profile} | _panel(index, thresholds, chosen, profile, changes)


def _panel(index: RunIndex, thresholds: Thresholds, chosen: Threshold, profile: str, changes: tuple[str, ...]) -> dict:
    rule = index.filters[chosen.step].rules()[chosen.rule]
    own = [name for name in index.profile.names if name and thresholds.has_own(chosen, name, changes)]
    names = np.array(index.profile.names)
    uses = (names == profile) if profile else ~np.isin(names, own)
    governed = uses[index.profile.codes]
    now, then = (thresholds.value(chosen, profile, each) for each in ((), changes))
    values = index.column(chosen.step, rule.measure)[governed]
    values = values[np.isfinite(values)]
    whole = bool((values == np.round(values)).all())
    cut = Looks(rule.measure, rule.breaks, now, []).cut(whole)
    seen = histogram(values, values[:0], [] if cut is None else [cut], whole, BINS)
    low, high = seen.axis.edges[[0, -1]].tolist()
    half = 0.5 if seen.axis.single else 0.0  # a line stands in the middle of its number's bar
    documents = np.bincount(index.profile.codes, minlength=names.size)
    profiles = [
        (name, int(documents[i]), thresholds.value(chosen, name, changes), name in own)
        for i, name in sorted(enumerate(index.profile.names), key=lambda pair: -documents[pair[0]])
        if name
    ]
    return {
        "rule": rule,
        "worth": read_worth(index.folder).get(f"{chosen.step}.{chosen.rule}"),
        "comparison": COMPARISONS[rule.breaks],
        "now": now,
        "then": then,
        "seen": seen,
        "height": HEIGHT,
        "was": None if now is None else 1000 * seen.axis.at(now + half),
        "step": 1 if whole else 10 ** np.floor(np.log10((high - low) / 100)),
        "low": low,
        "high": high,
        "half": half,
        "governed": int(governed.sum()),
        "profiles": profiles,
        "default": thresholds.value(chosen, "", changes),
    }


def number(value: float | None) -> str:
    """Format a number with four significant digits; None, the threshold of a rule that is off, is "off".

    >>> number(0.12345), number(None), number(float("nan"))
    ('0.1235', 'off', 'none')
    """
    if value is None:
        return "off"
    if value != value:  # NaN: the document has no value
        return "none"
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
