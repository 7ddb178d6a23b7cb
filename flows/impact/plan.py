"""Plan of an experiment, written to ``IMPACT/plan.json`` before any run: arms, seeds, and the set that decides.

A plan with runs cannot be changed: a set that is chosen after the losses are known finds whatever one hopes for.
"""

from dataclasses import dataclass

from upath import UPath

from gristmill.flows.impact.arms import Arm, arms_of
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.storage.manifest import MANIFEST, fingerprint
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pretrain.impact.looks import Look, looks

PLAN, RUNS = "plan.json", "runs"
OTHER_RATE = "other rate"  # runs at the learning rate that does not decide
PARTS, SAMPLES = "parts", "samples"  # other runs of a short arm: on its parts, on samples of the largest arm
EQUAL_DOCUMENTS = "equal documents"  # runs that read an arm as often as the arm is read that it is compared with


@dataclass(frozen=True)
class ImpactPlan:
    """Experiment with all choices made."""

    impact: ImpactRecipe
    arms: list[Arm]

    @property
    def looks(self) -> list[Look]:
        return looks(self.impact.budget.seeds, self.impact.max_seeds, self.impact.test.alpha)

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def table(self, work: UPath) -> dict:
        """Return the plan as JSON; ``frozen`` holds all that is the same for every arm."""
        impact = self.impact
        files = _files(impact.input, work)
        sets = {name: _files(InputSettings(paths=paths)) for name, paths in impact.heldout.sets.items()}
        settings = {"heldout", "tokenizer", "model", "train", "rates", "budget", "scaling"}
        frozen = impact.model_dump(mode="json", include=settings)
        frozen["input"] = {"settings": impact.input.model_dump(mode="json", exclude={"paths"}), "files": files}
        frozen["sets"] = sets
        arms: dict[str, dict] = {}
        for arm in self.arms:
            steps = arm.recipe.table()["steps"]
            about = {"steps": list(steps), "recipe": fingerprint(steps), "tokenizer": arm.tokenizer}
            arms[arm.name] = about | {"data": arm.data, "against": arm.against}
            if chosen := arm.choice or arm.sampling:
                arms[arm.name]["documents"] = chosen.table()
        return {
            "name": impact.name,
            "test": {"decision_set": impact.heldout.deciding, **impact.test.model_dump(mode="json")},
            "looks": [look._asdict() for look in self.looks],
            "questions": [arm.question for arm in self.arms if arm.against],
            "arms": arms,
            "frozen": frozen,
            "frozen_fingerprint": fingerprint(frozen),
        }


def _files(settings: InputSettings, work: UPath | None = None) -> list[list]:
    return [[file.name, file.size] for file in find_files(settings, str(work) if work else None)]


def make_plan(impact: ImpactRecipe, work: UPath, pilot: bool = False) -> ImpactPlan:
    """Write the plan; raise WorkError, naming the difference, if the folder holds runs of another plan.

    Runs of a ``pilot`` bind nobody: no difference of theirs was shown.

    Raises InputError for a path of the input or of an evaluation set that does not exist.
    """
    plan = ImpactPlan(impact, arms_of(impact))
    table = plan.table(work)
    known = read_plan(work) or {}
    binding = known and not known.pop("pilot", False)
    if binding and known != table and _has_runs(work):
        differs = next(key for key in table if known.get(key) != table[key])
        raise WorkError(
            f"{work} holds runs of a plan with another {differs!r}, and a plan with runs cannot be changed; "
            "choose another --output"
        )
    if not binding or known != table:
        write_sealed(work / PLAN, table | ({"pilot": True} if pilot else {}))
    return plan


def read_plan(work: UPath) -> dict | None:
    return read_sealed(work / PLAN, "choose another --output") if (work / PLAN).exists() else None


def _has_runs(work: UPath) -> bool:
    folder = work / RUNS
    return folder.is_dir() and any(path.name == MANIFEST or path.suffix == ".parquet" for path in folder.iterdir())
