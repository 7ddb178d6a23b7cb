"""Arms of an experiment: the documents and the tokenizer of each, and the arm that it is compared with."""

from typing import NamedTuple

from gristmill.flows.clean.columns import chosen_columns
from gristmill.flows.clean.recipe import OutputSettings, Recipe, read_recipe
from gristmill.flows.clean.recipe_files import find_recipe
from gristmill.flows.impact.documents.choose import Choice
from gristmill.flows.impact.documents.sample import Sampling
from gristmill.flows.impact.recipe import EACH, FULL, RAW, Arms, ImpactRecipe
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.schema import CLUSTER_SIZE

ONE = "one"  # the tokenizer that all arms share, except arms that compare tokenizers


class Arm(NamedTuple):
    """Variant of the data."""

    name: str
    data: str  # name of its documents, which arms that compare tokenizers share
    recipe: Recipe  # applied to the raw documents
    tokenizer: str = ONE
    against: str | None = None  # the arm that it is compared with
    choice: Choice | None = None  # of documents, for an arm without steps
    sampling: Sampling | None = None  # of the documents that the recipe keeps

    @property
    def question(self) -> str:
        return f"{self.name} against {self.against}"


def folder_of(name: str) -> str:
    """Return the folder of an arm: "without c4" has "without-c4"."""
    return name.replace(" ", "-")


def arms_of(impact: ImpactRecipe) -> list[Arm]:
    """Return the arms of an experiment; an arm that others are compared with comes before them.

    The full recipe and each part alone are compared with the raw documents, the recipe without a part with the full
    recipe. Raises RecipeError for unknown steps, and if there is nothing to compare.
    """
    wanted = impact.arms
    full = read_recipe(str(find_recipe(impact.recipe, impact.folder)))
    parts, raw = _parts(impact, full), _only(full, [])
    base = RAW if wanted.raw else None
    arms = [Arm(RAW, RAW, raw)] if wanted.raw else []
    arms += [Arm(FULL, FULL, full, against=base)] if wanted.full else []
    for name in _chosen(wanted.without, parts, "arms.without"):
        left = [step for step in full.steps if step not in parts[name]]
        arms.append(Arm(f"without {name}", f"without {name}", _only(full, left), against=FULL if wanted.full else base))
    for name in _chosen(wanted.only, parts, "arms.only"):
        arms.append(Arm(f"only {name}", f"only {name}", _only(full, parts[name]), against=base))
    for name, path in wanted.recipes.items():
        other = read_recipe(str(find_recipe(path, impact.folder)))
        arms.append(Arm(name, name, other, against=arms[0].name if arms else None))
    for name, choice in _choices(wanted).items():
        arms.append(Arm(name, name, raw, against=arms[0].name if arms else None, choice=choice))
    for name, sampling in _samplings(wanted).items():
        chosen_columns([sampling.column], full.steps, f"[arms] {name!r}")  # raises before any work is done
        columned = full.model_copy(update={"output": OutputSettings(columns=[sampling.column])})
        arms.append(Arm(name, name, columned, against=FULL if wanted.full else base, sampling=sampling))
    first = None
    for name in wanted.tokenizers:
        arms.append(Arm(name, FULL, full, name, first))
        first = first or name
    names = [arm.name for arm in arms]
    folders = [folder_of(name).lower() for name in names]
    if twice := [name for name, folder in zip(names, folders, strict=True) if folders.count(folder) > 1]:
        raise RecipeError(f"[arms] has two arms named {twice[0]!r} and {twice[1]!r}; choose another name for one")
    if not any(arm.against for arm in arms):
        raise RecipeError(
            f"[arms] has nothing to compare: found {', '.join(names) or 'no arm'}, expected two arms or more"
        )
    for name in impact.scaling.arms:
        if name not in names:
            raise RecipeError(f"[scaling] has an unknown arm {name!r}; {nearest(name, names)}")
    return arms


def _choices(wanted: Arms) -> dict[str, Choice]:
    """Return name -> choice, for each arm of chosen documents."""
    return (
        {name: Choice(paths=tuple(paths)) for name, paths in wanted.corpora.items()}
        | {name: Choice(sources=tuple(sources)) for name, sources in wanted.sources.items()}
        | {name: Choice(ids=path) for name, path in wanted.ids.items()}
        | {name: Choice(share=(low, high)) for name, (low, high) in wanted.shares.items()}
    )


def _samplings(wanted: Arms) -> dict[str, Sampling]:
    """Return name -> sampling, for each arm of sampled documents."""
    return {name: Sampling(CLUSTER_SIZE, tuple(sorted(table.items()))) for name, table in wanted.upsample.items()} | {
        name: Sampling(each.by, temperature=each.temperature, max_copies=each.max_copies)
        for name, each in wanted.weighted.items()
    }


def _parts(impact: ImpactRecipe, full: Recipe) -> dict[str, list[str]]:
    """Return name -> steps, for each group and for each step outside all groups."""
    parts = {}
    for name, steps in impact.arms.groups.items():
        for step in steps:
            if step not in full.steps:
                raise RecipeError(f"[arms] group {name!r} has no step {step!r}; {nearest(step, list(full.steps))}")
        parts[name] = steps
    grouped = {step for steps in parts.values() for step in steps}
    return parts | {step: [step] for step in full.steps if step not in grouped}


def _chosen(asked: list[str] | str, parts: dict[str, list[str]], where: str) -> list[str]:
    for name in asked if asked != EACH else ():
        if name not in parts:
            raise RecipeError(f"{where} has an unknown part {name!r}; {nearest(name, list(parts))}")
    return list(parts) if asked == EACH else list(asked)


def _only(full: Recipe, names: list[str]) -> Recipe:
    """Return the recipe with only these steps, in its own order."""
    steps = {name: step for name, step in full.steps.items() if name in names}
    return full.model_copy(update={"steps": steps, "output": OutputSettings()})
