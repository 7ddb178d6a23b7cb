"""Steps of a user's code in recipes, and as a finished run recorded them: settings, rules and thresholds, without code.

A work folder may come from somebody else, and its recipe names a file to run. So a run records in ``recipe.json`` all
that a finished run can be asked: what-if, the report and the explorer read the record and load no code.
"""

from collections.abc import Iterator
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import PydanticUserError, create_model

from gristmill.filters.core.adjustable import adjustable_settings
from gristmill.filters.core.decide import BREAKS
from gristmill.filters.core.filter import Filter, Rewriter, Rule
from gristmill.filters.core.own import BatchFilter, DocumentFilter, DocumentRewriter
from gristmill.pipelines.errors import GristmillError, RecipeError, shown
from gristmill.pipelines.plugins import Plugin, describe, load_plugin, plugin_of, register
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict

OWN = "recorded"  # module of the classes: their code is the user's, not ours
RECORD = "recorded"  # key of a step's table in recipe.json
NUMBER, WHOLE, TABLE = "number", "whole", "table"
METHODS = (DocumentFilter, "measure", "doc"), (DocumentRewriter, "rewrite", "doc"), (BatchFilter, "measure", "batch")
TYPES: dict[str, Any] = {NUMBER: float | None, WHOLE: int | None, TABLE: dict[str, float | None]}


class RecordedRule(Settings):
    """Rule of a recorded filter; ``setting`` is the one that holds its threshold."""

    measure: str
    breaks: Literal["<", "<=", ">", ">="]
    threshold: float | None
    setting: str | None = None
    by: str | None = None
    thresholds: dict[str, float] = {}


class Record(Settings):
    """Properties of a step's class and its rules, as a run left them."""

    about: str  # first line of its description
    sha256: str  # of the file with the code
    corpus: bool  # a step over the corpus, not a filter
    rewrites: bool
    needs: list[str]
    provides: dict[str, str]
    measured: dict[str, Any]  # settings that the measures depend on
    rules: dict[str, RecordedRule] = {}
    settings: dict[str, Literal["number", "whole", "table"]] = {}  # the thresholds among them
    stages: dict[str, dict[str, Any]] = {}
    reports: list[str] = []


def own_step(plugin: Plugin, values: Any, where: str) -> Filter | CorpusStep:
    """Load a user's class and return its settings. Raises RecipeError if it is no step, or if its rules are none."""
    kind = load_plugin(plugin)
    if not isinstance(kind, type) or not issubclass(kind, Filter | CorpusStep):
        expected = "expected a class derived from gm.Filter, gm.BatchFilter, gm.Rewriter or CorpusStep"
        raise RecipeError(f"{where}: {plugin.use} is {shown(kind)}; {expected}")
    _check_methods(kind, plugin, where)
    try:
        step = read_settings(kind, values, where)
        for profile in ("", *step.profiles) if isinstance(step, Filter) else ():
            _check_rules(cast(Filter, step).for_profile(profile), where)
    except GristmillError:
        raise
    except Exception as error:
        raise RecipeError(f"{where}: {describe(error, plugin)}") from error
    return step


def _check_rules(step: Filter, where: str) -> None:
    """Raise RecipeError if the rules of a user's filter are not a dict of rules, or one of them is none."""
    rules = step.rules()
    wrong = [rule for rule in rules.values() if not isinstance(rule, Rule)] if isinstance(rules, dict) else [rules]
    if wrong:
        expected = 'expected a dict of rules, such as {"words_too_low": gm.Rule("words", "<", 50)}'
        raise RecipeError(f"{where}: rules() returned {shown(wrong[0])}; {expected}")
    for name, rule in rules.items():
        if rule.breaks not in BREAKS:
            raise RecipeError(
                f"{where}: rule {name!r} compares by {rule.breaks!r}; expected one of {', '.join(BREAKS)}"
            )
        if rule.threshold is not None and not (isinstance(rule.threshold, Real) and isfinite(rule.threshold)):
            found = f"has the threshold {shown(rule.threshold)}"
            raise RecipeError(f"{where}: rule {name!r} {found}; expected a finite number, or None if the rule is off")


def _check_methods(kind: type, plugin: Plugin, where: str) -> None:
    """Raise RecipeError if a user's class lacks the method that its kind must define."""
    for base, method, of in METHODS:
        if issubclass(kind, base) and getattr(kind, method) is getattr(base, method):
            raise RecipeError(f"{where}: {plugin.use} has no {method}; expected a method {method}(self, {of})")


def step_table(step: Filter | CorpusStep) -> dict[str, Any]:
    """Return a step as the table of a recipe, with all defaults; that of a user's code with its record."""
    plugin, values = plugin_of(type(step)), step.model_dump(mode="json")
    if plugin is None:
        return {"use": step.NAME, **values}
    return {"use": plugin.use, **values, RECORD: _record(step, plugin).model_dump(mode="json")}


def _record(step: Filter | CorpusStep, plugin: Plugin) -> Record:
    if isinstance(step, RecordedFilter | RecordedStep):
        return step.RECORD
    rules, settings = {}, {}
    if isinstance(step, Filter):
        found = [*adjustable_settings(step)]
        places = {each.rule: each.setting for each in found}
        for each in found:
            kind = TABLE if "." in each.setting else WHOLE if each.whole else NUMBER
            settings[each.setting.partition(".")[0]] = kind
        for name, rule in step.rules().items():
            rules[name] = RecordedRule(**rule._asdict() | {"setting": places.get(name)})
    stages = {stage: step.staged_settings(stage) for stage in step.STAGES} if isinstance(step, CorpusStep) else {}
    return Record(
        about=(type(step).__doc__ or "").partition("\n")[0],
        sha256=plugin.sha256,
        corpus=isinstance(step, CorpusStep),
        rewrites=isinstance(step, Rewriter) or (isinstance(step, CorpusStep) and step.rewrites),
        needs=list(step.NEEDS),
        provides=dict(step.PROVIDES),
        measured=step.measured_settings(),
        rules=rules,
        settings=cast(Any, settings),
        stages=stages,
        reports=list(step.REPORTS) if isinstance(step, CorpusStep) else [],
    )


class RecordedFilter(Filter):
    """Filter of a user without its code."""

    RECORD: ClassVar[Record]

    def measure(self, batch: Any) -> Any:
        raise _no_code(self)

    def rules(self) -> dict[str, Rule]:
        return {name: self._rule(rule) for name, rule in self.RECORD.rules.items()}

    def _rule(self, rule: RecordedRule) -> Rule:
        """Return a rule; its threshold is that of its setting."""
        name, _, key = (rule.setting or "").partition(".")
        value: Any = getattr(self, name) if name else rule.threshold
        return Rule(rule.measure, rule.breaks, value.get(key) if key else value, rule.by, rule.thresholds)

    def measured_settings(self) -> dict:
        values = self.model_dump(mode="json")
        return {key: values.get(key, value) for key, value in self.RECORD.measured.items()}


class RecordedRewriter(RecordedFilter, Rewriter):
    """Rewriter of a user without its code."""

    def rewrite(self, batch: Any) -> Any:
        raise _no_code(self)


class RecordedStep(CorpusStep):
    """Step over the corpus of a user without its code."""

    RECORD: ClassVar[Record]

    @property
    def rewrites(self) -> bool:
        return self.RECORD.rewrites

    def measured_settings(self) -> dict:
        return self.RECORD.measured

    def staged_settings(self, name: str) -> dict:
        return self.RECORD.stages[name]

    def measure(self, batch: Any) -> Any:
        raise _no_code(self)

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        raise _no_code(self)


def _no_code(step: Settings) -> RecipeError:
    plugin = plugin_of(type(step))
    return RecipeError(
        f"this needs {plugin.use if plugin else 'code'}, and opening a work folder loads no code; "
        "run `gristmill clean` with the file of the recipe"
    )


def recorded_step(use: str, values: dict[str, Any], where: str) -> Filter | CorpusStep:
    """Return a step of a user as a run recorded it. Raises RecipeError for an invalid record."""
    record = read_settings(Record, values[RECORD], f"{where} {RECORD}")
    values = {key: value for key, value in values.items() if key != RECORD}
    base: Any = RecordedStep if record.corpus else RecordedRewriter if record.rewrites else RecordedFilter
    own = values.keys() - base.model_fields.keys()
    fields: dict[str, Any] = {key: (TYPES.get(record.settings.get(key, ""), Any), ...) for key in sorted(own)}
    place, _, attribute = use.rpartition(":")
    make: Any = create_model
    try:
        kind = make(attribute or "Recorded", __base__=base, __doc__=record.about, __module__=OWN, **fields)
    except (NameError, TypeError, ValueError, PydanticUserError) as error:
        raise RecipeError(f"{where} {RECORD}: {error}") from None
    for name in (*record.settings, *(rule.setting.partition(".")[0] for rule in record.rules.values() if rule.setting)):
        if name not in kind.model_fields:
            raise RecipeError(f"{where} {RECORD}: there is no setting {name!r}")
    kind.RECORD, kind.NAME = record, str(record.measured.get("step", record.measured.get("filter", attribute)))
    kind.NEEDS, kind.PROVIDES = tuple(record.needs), record.provides
    if record.corpus:
        kind.STAGES, kind.REPORTS = dict.fromkeys(record.stages, ()), tuple(record.reports)
    register(kind, Plugin(use, place, attribute, record.sha256))
    return read_settings(kind, values, where)
