"""The recipe of an experiment: which data to compare, on what text to judge, what to spend. One TOML file."""

from typing import Any, Literal

from pydantic import Field, model_validator

from gristmill.flows.clean.recipe import make_change
from gristmill.flows.clean.recipe_files import find_recipe, read_toml
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import InputSettings
from gristmill.pipelines.settings import Settings, nearest, read_settings
from gristmill.pretrain.model.config import PRESETS, ModelConfig, preset
from gristmill.pretrain.training.trainer import TrainSettings

RAW, FULL, EACH = "raw", "full", "each"
OWN_SETS = (RAW, "clean")  # held out of the corpus itself: as it is, and what the full recipe leaves of that


class Arms(Settings):
    """The variants of the data. Steps that belong together are left out, or added, as a group."""

    raw: bool = True  # no step at all
    full: bool = True  # the whole recipe
    without: list[str] | Literal["each"] = []  # the recipe less one step or group, an arm each
    only: list[str] | Literal["each"] = []  # one step or group alone, an arm each
    groups: dict[str, list[str]] = {}  # name -> steps
    recipes: dict[str, str] = {}  # name -> another recipe's file, an arm each
    tokenizers: dict[str, str] = {}  # name -> a tokenizer's folder, an arm each on the full recipe's documents


class Heldout(Settings):
    """The text that judges: cut into pieces, and none that a training arm holds."""

    share: float = Field(0.02, gt=0, lt=0.5)  # of the raw documents, by the hash of their ids, before any step
    sets: dict[str, list[str]] = {}  # name -> files of text known to be good
    verdict: str = RAW  # the set that decides
    bytes: int = Field(150_000, ge=1)  # of each set, chosen by hash
    piece_bytes: int = Field(1024, ge=64)  # of a piece, cut where words end
    ngram: int = Field(13, ge=2, le=64)  # words that must be alike to count as overlap
    max_overlap: float = Field(0.1, ge=0, le=1)  # share of a piece's n-grams that any arm may hold

    @model_validator(mode="after")
    def _named(self):
        for name in self.sets.keys() & {*OWN_SETS}:
            raise ValueError(f"a set cannot be called {name!r}: that is held out of the corpus itself")
        known = [*OWN_SETS, *self.sets]
        if self.verdict not in known:
            raise ValueError(f"no set {self.verdict!r} to judge by; {nearest(self.verdict, known)}")
        return self


class Budget(Settings):
    """What the arms have equal, and how often each runs."""

    equal: Literal["tokens", "bytes"] = "tokens"  # bytes: of source text; tokenizers are compared so
    seeds: int = Field(3, ge=2)  # runs of each arm
    most_seeds: int | None = Field(None, ge=2)  # of the half of the arms whose question is open; None: as `seeds`
    max_epochs: float = Field(4.0, gt=0)  # an arm that would read its documents more often is refused

    @model_validator(mode="after")
    def _rises(self):
        if self.most_seeds is not None and self.most_seeds < self.seeds:
            raise ValueError(f"most_seeds {self.most_seeds} is below seeds {self.seeds}")
        return self


class TestSettings(Settings):
    """When a difference counts."""

    alpha: float = Field(0.02, gt=0, lt=0.5)  # of a false finding: 98 of 100 experiments on nothing find nothing
    margin: float = Field(0.005, gt=0)  # share of the loss that is too little to matter
    draws: int = Field(2000, ge=100)  # of the bootstrap


class OneTokenizer(Settings):
    """The tokenizer of all arms: one that is there, or one trained on the raw documents, which favours no arm."""

    path: str | None = None
    vocab_size: int = Field(2048, ge=300)


class ScalingSettings(Settings):
    """Models of several sizes on several budgets, for scaling laws: every pair of them, for each arm."""

    arms: list[str] = []  # none: no ladder
    models: list[dict[str, Any]] = []  # changes of [model]
    steps: list[int] = []
    seeds: int = Field(1, ge=1)


class ImpactRecipe(Settings):
    """An experiment on the data. All but the data is the same for every arm."""

    name: str = "impact"
    about: str = ""
    recipe: str = "clean-corpus.toml"  # beside this file, or a shipped one: the steps whose impact is asked for
    input: InputSettings = InputSettings()
    arms: Arms = Arms()
    heldout: Heldout = Heldout()
    budget: Budget = Budget()
    judging: TestSettings = TestSettings()
    tokenizer: OneTokenizer = OneTokenizer()
    model: dict[str, Any] = {}  # preset, and what to change of it
    train: TrainSettings = TrainSettings()
    ladder: ScalingSettings = ScalingSettings()
    folder: str = Field("", exclude=True)  # where the file lies: other recipes are named from there

    def shape(self, vocab_size: int, changes: dict[str, Any] | None = None) -> ModelConfig:
        """The model for a vocabulary."""
        table = {"preset": "nano"} | self.model | (changes or {})
        name = table.pop("preset")
        if not isinstance(name, str) or not PRESETS.get(name, {}).get("causal", True):
            raise RecipeError(f"[model] preset must name a shape that predicts the next token, found {name!r}")
        return read_settings(ModelConfig, preset(name, vocab_size, **table), "[model]")

    @property
    def most_seeds(self) -> int:
        return self.budget.most_seeds or self.budget.seeds


TABLES = ("input", "arms", "heldout", "budget", "judging", "tokenizer", "train", "ladder")


def read_impact(path: str, changes: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> ImpactRecipe:
    """Read and check the recipe of an experiment, by the path of its file or by the name of a shipped one.

    ``changes`` are ``budget.seeds=5``, ``paths`` replace its input. Raises RecipeError naming file, table and
    key where anything is unknown, of a wrong type or impossible.
    """
    file = find_recipe(path)
    table = read_toml(file)
    for name in (*TABLES, "model"):
        if not isinstance(table.setdefault(name, {}), dict):
            raise RecipeError(f"{path}: {name} must be a table such as [{name}], found {table[name]!r}")
    for change in changes:
        make_change({name: table[name] for name in (*TABLES, "model")}, change, "TABLE.SETTING=VALUE")
    if paths:
        table["input"]["paths"] = list(paths)
    kinds = ImpactRecipe.model_fields
    built = {name: read_settings(kinds[name].annotation, table[name], f"{path} [{name}]") for name in TABLES}
    rest = {key: value for key, value in table.items() if key not in TABLES}
    known = read_settings(ImpactRecipe, rest, path).model_copy(update={**built, "folder": str(file.parent)})
    if "folder" in rest or not known.input.paths:
        wrong = "no setting 'folder'" if "folder" in rest else "nothing to read: name files with --input"
        raise RecipeError(f"{path}: {wrong}")
    for change in ({}, *known.ladder.models):
        known.shape(max(300, known.tokenizer.vocab_size), change)  # what cannot be is told before anything is done
    return known
