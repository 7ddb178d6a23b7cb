"""Recipe of a run: one TOML file, with one settings class per table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from gristmill.dedup.contamination.step import Contamination
from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.dedup.passages.repeated import RepeatedPassages
from gristmill.dedup.substrings.exact_substrings import Substrings
from gristmill.filters.core.filter import Filter
from gristmill.filters.importance.step import Importance
from gristmill.filters.langid.labels import language_of
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.filters.registry import FILTERS, variant_of
from gristmill.flows.clean.columns import DEFAULT, Column, check_split_name, chosen_columns
from gristmill.flows.clean.language_profiles import give_profiles, read_profiles
from gristmill.flows.clean.own_steps import RECORD, own_step, recorded_step, step_table
from gristmill.flows.clean.recipe_files import CODE, find_recipe, make_change, read_table
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.inputs.input_tables import Inputs, inputs_table, read_inputs, with_paths
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.plugins import entry_point, entry_point_names, find_plugin
from gristmill.pipelines.settings import S, Settings, check_names, read_settings
from gristmill.pipelines.steps.corpus_step import CorpusStep

Step = Filter | CorpusStep
STEPS: dict[str, type[Step]] = dict(FILTERS)
STEPS |= {step.NAME: step for step in (Exact, NearDuplicates, RepeatedPassages, Substrings, Contamination)}
STEPS |= {step.NAME: step for step in (CrossFitPerplexity, Importance)}
ENTRY_POINTS = "gristmill.filters", "gristmill.steps"  # of installed packages: name -> class
LATER = ("tokenizer", "tokens", "export", "pretrain", "report")  # tables of `gristmill run`, which reads them


class OutputSettings(Settings):
    """Settings of the clean documents."""

    columns: list[str] = [*DEFAULT]  # to add: these two, cluster_size, copy_sources, and measures such as gopher.words
    split_by: str | None = None  # a column of strings: its documents lie in clean/COLUMN=VALUE/


class Recipe(Settings):
    """Input of a run, its steps in order, and its output; then the stages that `gristmill run` adds.

    A stage that is None is left out. Its table is checked where it is used (flows/project/sections.py).
    """

    name: str = "recipe"
    about: str = ""
    words: Literal["unicode", "spacy"] = "unicode"  # word splitter of all rules that count words
    input: Inputs = (InputSettings(),)  # of [input], or of each [[input]]
    steps: dict[str, Step] = {}
    output: OutputSettings = OutputSettings()
    tokenizer: dict[str, Any] | None = None
    tokens: dict[str, Any] | None = None
    export: dict[str, Any] | None = None
    pretrain: dict[str, Any] | None = None
    report: dict[str, Any] | None = None

    @property
    def columns(self) -> dict[str, Column]:
        """Columns that clean documents have besides their own, and their places."""
        return chosen_columns(self.output.columns, self.steps, "[output]")

    def table(self) -> dict[str, Any]:
        """Return the recipe as a table, as in TOML, with all defaults written out."""
        steps = {name: step_table(step) for name, step in self.steps.items()}
        rest = self.model_dump(mode="json", exclude={"input", "steps"})
        rest = {key: value for key, value in rest.items() if value is not None}
        return {**rest, "input": inputs_table(self.input, exclude_none=True), "steps": steps}


def read_recipe(
    path: str, changes: tuple[str, ...] = (), paths: tuple[str, ...] = (), profiles: tuple[str, ...] | None = None
) -> Recipe:
    """Read and check a recipe, by the path of its file or by the name of a shipped one.

    ``changes`` are ``step.setting=value``, ``paths`` replace its input paths, ``profiles`` its language profiles.
    Raises RecipeError, naming file, table and key, for unknown keys and invalid values.
    """
    file = find_recipe(path)
    table = read_table(file)
    if profiles is not None:
        table["profiles"] = list(profiles)
    recipe = parse_recipe(table, path, changes, file.parent)
    return recipe.model_copy(update={"input": with_paths(recipe.input, paths)})


def parse_recipe(table: dict[str, Any], where: str, changes: tuple[str, ...] = (), folder: str | Path = "") -> Recipe:
    """Return the recipe for the table of a TOML file, with some settings changed.

    The paths of a user's code begin in ``folder``. A table from a work folder loads no code (own_steps.py).
    """
    steps = table.get("steps", {})
    if not isinstance(steps, dict):
        raise RecipeError(f"{where}: steps must be tables such as [steps.gopher], found {shown(steps)}")
    check_names(steps, f"{where} [steps]")
    for change in changes:
        if change.partition("=")[0].rpartition(".")[2].strip() in CODE:
            raise RecipeError(f"cannot set {shown(change)}: it names code, which only the file of a recipe may name")
        inputs, output = table.setdefault("input", {}), table.setdefault("output", {})
        known = {name: table[name] for name in LATER if isinstance(table.get(name), dict)} | steps
        for each in inputs if isinstance(inputs, list) else [inputs]:  # a change is made to all inputs
            make_change({"input": each, "output": output} | known, change)
    if "profiles" in table:
        give_profiles(steps, read_profiles(table["profiles"], where))
    built = {name: _step(name, values, f"{where} [steps.{name}]", folder) for name, values in steps.items()}
    output = read_settings(OutputSettings, table.get("output", {}), f"{where} [output]")
    columns = chosen_columns(output.columns, built, f"{where} [output]")  # raises if one is unknown
    check_split_name(output.split_by, columns, built, f"{where} [output]")
    rest = {key: value for key, value in table.items() if key not in ("input", "output", "profiles", "steps")}
    given = read_inputs(table.get("input", {}), where, folder)
    for language in (each.language for each in given):
        if language and language != language_of(language):
            raise RecipeError(f"{where} [input] language: no step knows {language!r}; write {language_of(language)!r}")
    found = {"input": given, "steps": built, "output": output}
    return read_settings(Recipe, rest, where).model_copy(update=found)


def _step(name: str, values: Any, where: str, folder: str | Path) -> Step:
    """Return one step's settings; ``use`` names its kind if its name does not."""
    kind = values.get("use", name) if isinstance(values, dict) else name
    if isinstance(kind, str) and kind not in STEPS and ":" not in kind:
        kind = entry_point(kind, ENTRY_POINTS) or kind
    if not isinstance(kind, str) or (kind not in STEPS and ":" not in kind):
        known = sorted({*STEPS, *entry_point_names(ENTRY_POINTS)})
        raise RecipeError(f"{where}: no step {shown(kind)}; {nearest(str(kind), known)}")
    values = {key: value for key, value in values.items() if key != "use"} if isinstance(values, dict) else values
    if isinstance(values, dict) and RECORD in values:
        return recorded_step(kind, values, where)
    if ":" in kind:
        return own_step(find_plugin(kind, folder, where), values, where)
    if isinstance(values, dict) and "variant" in values:
        return read_settings(variant_of(kind, values["variant"], where), values, where)
    return read_settings(STEPS[kind], values, where)


def settings_from_changes(kind: type[S], table: str, changes: Iterable[str]) -> S:
    """Return the settings of one table with changes such as ``ngram.order=4``."""
    values: dict = {}
    for change in changes:
        make_change({table: values}, change, f"{table}.SETTING=VALUE")
    return read_settings(kind, values, f"[{table}]")
