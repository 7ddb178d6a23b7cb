"""Recipe of an experiment: the data to compare, the text to evaluate on, the budget. One TOML file."""

import copy
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from gristmill.flows.clean.recipe_files import find_recipe, make_change, read_toml
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.ingest.ingest import InputSettings
from gristmill.pipelines.settings import Settings, check_names, read_settings
from gristmill.pipelines.tokens.settings import Upsample
from gristmill.pretrain.model.config import ModelConfig, preset
from gristmill.pretrain.training.trainer import TrainSettings

RAW, FULL, EACH = "raw", "full", "each"
OWN_SETS = (RAW, "clean")  # held-out documents of the corpus: raw, and cleaned by the full recipe
MANUAL = "manual"  # Python's language reference, 460 kB of English that every installation has


def _in_order(ends: list[float]) -> list[float]:
    if ends[0] >= ends[1]:
        raise ValueError(f"a share begins below its end, found {ends}")
    return ends


Share = Annotated[
    list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2), AfterValidator(_in_order)
]


class Weighted(Settings):
    """Arm that samples the full recipe's documents in proportion to exp(score / temperature) (QuRating, 2402.09739)."""

    by: str  # a measure such as gopher.stop_words: the scores, standardized
    temperature: float = Field(1.0, ge=-1000, le=1000)  # near 0 the best dominate; below 0 low scores are good ones
    max_copies: float = Field(4.0, ge=1, le=1000)  # of a document

    @field_validator("temperature")
    @classmethod
    def _divides(cls, value: float) -> float:
        if abs(value) < 0.01:
            raise ValueError(f"expected 0.01 or more, or -0.01 or less, found {value:g}")
        return value


class Arms(Settings):
    """Variants of the data. A group of steps is left out, or used, as a whole."""

    raw: bool = True  # the documents without any step
    full: bool = True  # the documents after the whole recipe
    without: list[str] | Literal["each"] = []  # an arm for each of these steps or groups: the recipe without it
    only: list[str] | Literal["each"] = []  # an arm for each of these steps or groups: nothing else
    groups: dict[str, list[str]] = {}  # name -> steps
    recipes: dict[str, str] = {}  # an arm for each: name -> file of another recipe
    corpora: dict[str, list[str]] = {}  # an arm for each: name -> files of another corpus, used as they are
    sources: dict[str, list[str]] = {}  # an arm for each: name -> sources whose raw documents it holds
    ids: dict[str, str] = {}  # an arm for each: name -> file with an id per line, of the raw documents it holds
    shares: dict[str, Share] = {}  # an arm for each: name -> range of id hashes: [0, 0.5] is a random half of raw
    upsample: dict[str, Upsample] = {}  # an arm for each, on the full recipe's documents: name -> tokens.upsample
    weighted: dict[str, Weighted] = {}  # an arm for each, on the full recipe's documents: name -> a score
    tokenizers: dict[str, str] = {}  # an arm for each, on the full recipe's documents: name -> folder of a tokenizer


class Heldout(Settings):
    """Text to evaluate on: cut into pieces, without any that an arm's training text contains."""

    fraction: float = Field(0.02, gt=0, lt=0.5)  # of the raw documents, by the hash of their ids, before any step
    sets: dict[str, list[str]] = {}  # name -> files of text known to be good, from outside the corpus
    decision_set: str = ""  # the set of these whose losses decide; "": the first, or Python's manual if there is none
    bytes: int = Field(150_000, ge=1)  # of each set; its pieces are chosen by hash
    piece_bytes: int = Field(1024, ge=64)  # largest size of a piece, which ends at a line or word end
    ngram: int = Field(13, ge=2, le=64)  # words of an n-gram, the unit of overlap
    max_overlap: float = Field(0.1, ge=0, le=1)  # largest fraction of a piece's n-grams that an arm may contain

    @model_validator(mode="after")
    def _check(self):
        for name in self.sets.keys() & {*OWN_SETS}:
            raise ValueError(f"the name {name!r} of a set means held-out documents of the corpus; choose another name")
        if MANUAL in self.sets:
            raise ValueError(f"the name {MANUAL!r} of a set means the manual of Python; choose another name")
        if self.decision_set in OWN_SETS:
            raise ValueError(
                f"decision_set {self.decision_set!r} is held out from the corpus and rewards predicting its junk; name "
                "files of good text in heldout.sets"
            )
        if self.decision_set not in ("", MANUAL, *self.sets):
            known = nearest(self.decision_set, [*self.sets, MANUAL])
            raise ValueError(f"decision_set {self.decision_set!r} is unknown; {known}")
        if self.piece_bytes > self.bytes:
            raise ValueError(f"piece_bytes {self.piece_bytes} is above bytes {self.bytes}")
        return self

    @property
    def deciding(self) -> str:
        """The set whose losses decide."""
        return self.decision_set or next(iter(self.sets), MANUAL)


class Budget(Settings):
    """Number of runs for each arm, and the quantity that all runs have equal."""

    equal: Literal["tokens", "bytes"] = "tokens"  # or bytes of source text, to compare tokenizers
    seeds: int = Field(3, ge=2)  # runs of each arm
    max_seeds: int | None = Field(None, ge=2)  # runs of arms without a verdict; None: seeds
    max_epochs: float = Field(4.0, gt=0)  # largest number of times that a run may read its documents

    @model_validator(mode="after")
    def _check(self):
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds {self.max_seeds} is below seeds {self.seeds}")
        return self


class Rates(Settings):
    """Learning rates of the runs. Rankings of data by small models hold at a low rate (arXiv:2512.24503)."""

    low: float = Field(0.1, gt=0, lt=1)  # fraction of the tuned rate, which is that of [train]
    decides: Literal["low", "tuned"] = "low"  # the rate whose losses decide
    check_seeds: int = Field(3, ge=0)  # runs at the other rate, which verdicts must not depend on; 0: no check

    @model_validator(mode="after")
    def _check(self):
        if self.check_seeds == 1:
            raise ValueError("check_seeds 1 shows nothing about chance; choose 0 or 2 and more")
        return self

    @property
    def other(self) -> str:
        """The rate that does not decide."""
        return "tuned" if self.decides == "low" else "low"

    def factor(self, rate: str) -> float:
        """Return a rate as a fraction of the tuned one."""
        return self.low if rate == "low" else 1.0


class TestSettings(Settings):
    """Significance test of the difference between two arms."""

    alpha: float = Field(0.02, gt=0, lt=0.5)  # probability of finding an effect where there is none
    margin: float = Field(0.005, gt=0, lt=1)  # fraction of the loss below which a difference does not matter
    draws: int = Field(2000, ge=100)  # resamples of the bootstrap


class OneTokenizer(Settings):
    """Tokenizer of all arms: an existing one, or one trained on the raw documents, so that it favors no arm."""

    path: str | None = None
    vocab_size: int = Field(2048, ge=300)


class ScalingSettings(Settings):
    """Runs for scaling laws: every pair of a model size and a number of steps, for each arm."""

    arms: list[str] = []  # none: no scaling runs
    models: list[dict[str, Any]] = []  # changes to [model]
    steps: list[Annotated[int, Field(ge=1)]] = []
    seeds: int = Field(1, ge=1)


class ImpactRecipe(Settings):
    """Experiment on data: everything except the data is the same for every arm."""

    name: str = "impact"
    about: str = ""
    recipe: str = "clean-corpus"  # whose steps are compared: a file, or the name of a shipped recipe
    input: InputSettings = InputSettings()
    arms: Arms = Arms()
    heldout: Heldout = Heldout()
    budget: Budget = Budget()
    rates: Rates = Rates()
    test: TestSettings = TestSettings()
    tokenizer: OneTokenizer = OneTokenizer()
    model: dict[str, Any] = {}  # a preset and changes to it
    train: TrainSettings = TrainSettings()
    scaling: ScalingSettings = ScalingSettings()
    folder: str = Field("", exclude=True)  # folder of the file, where all paths in it begin

    def shape(self, vocab_size: int, changes: dict[str, Any] | None = None) -> ModelConfig:
        """Return the model's configuration for a vocabulary."""
        table = {"preset": "nano"} | self.model | (changes or {})
        name = table.pop("preset")
        shape = read_settings(ModelConfig, preset(f"{name}", vocab_size, **table), "[model]")
        if not shape.causal or shape.encoder_layers:
            raise RecipeError(f"[model] preset must be a model that predicts the next token, found {name!r}")
        return shape

    @property
    def max_seeds(self) -> int:
        return self.budget.max_seeds or self.budget.seeds


PATHS = (
    ("input", "paths"),
    ("heldout", "sets"),
    ("tokenizer", "path"),
    *(("arms", name) for name in ("tokenizers", "corpora", "ids")),
)
TABLES = ("input", "arms", "heldout", "budget", "rates", "test", "tokenizer", "train", "scaling")


def read_impact(path: str, changes: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> ImpactRecipe:
    """Read and check the recipe of an experiment, by the path of its file or by the name of a shipped one.

    ``changes`` are ``budget.seeds=5``, ``paths`` replace its input. Raises RecipeError naming file, table
    and key, for unknown keys and invalid values.
    """
    file = find_recipe(path)
    return parse_impact(rooted(read_toml(file), file.parent), path, changes, paths, str(file.parent))


def rooted(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the table of a file with paths that begin in its folder; `find_recipe` does so for names of recipes."""

    def root(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: root(each) for key, each in value.items()}
        if isinstance(value, list):
            return [root(each) for each in value]
        return str(folder / value) if isinstance(value, str) and not re.match(r"\w+:", value) else value

    found = copy.deepcopy(table)
    for name, key in PATHS:
        if isinstance(inner := found.get(name), dict) and key in inner:
            inner[key] = root(inner[key])
    return found


def parse_impact(
    table: dict[str, Any], where: str, changes: tuple[str, ...] = (), paths: tuple[str, ...] = (), folder: str = ""
) -> ImpactRecipe:
    """Check the recipe of an experiment, given as the table of its file; its paths begin in ``folder``."""
    for name in (*TABLES, "model"):
        if not isinstance(table.setdefault(name, {}), dict):
            raise RecipeError(f"{where}: {name} must be a table such as [{name}], found {table[name]!r}")
    for change in changes:
        make_change({name: table[name] for name in (*TABLES, "model")}, change, "TABLE.SETTING=VALUE")
    if paths:
        table["input"]["paths"] = list(paths)
    kinds: dict[str, Any] = {name: field.annotation for name, field in ImpactRecipe.model_fields.items()}
    built = {name: read_settings(kinds[name], table[name], f"{where} [{name}]") for name in TABLES}
    arms, sets = built["arms"], built["heldout"].sets
    named = ("groups", "recipes", "tokenizers", "corpora", "sources", "ids", "shares", "upsample", "weighted")
    for name, names in {f"arms.{each}": getattr(arms, each) for each in named}.items():
        check_names(names, f"{where} [{name}]")
    check_names(sets, f"{where} [heldout.sets]")
    rest = {key: value for key, value in table.items() if key not in TABLES}
    known = read_settings(ImpactRecipe, rest, where).model_copy(update={**built, "folder": folder})
    if not known.input.paths:  # corpora that are compared are the input, too: held out and tokenized alike
        every = [path for each in arms.corpora.values() for path in each]
        known = known.model_copy(update={"input": known.input.model_copy(update={"paths": every})})
    if "folder" in rest or not known.input.paths:
        wrong = "no setting 'folder'" if "folder" in rest else "nothing to read: name files with --input"
        raise RecipeError(f"{where}: {wrong}")
    for change in ({}, *known.scaling.models):
        known.shape(max(300, known.tokenizer.vocab_size), change)  # raises before any work is done
    return known
