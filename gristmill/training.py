"""Models: train a small GPT on token shards, generate with it, and measure what each cleaning step does to the loss."""

import copy
import sys
from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl

from gristmill.flows.console import SafeConsole
from gristmill.flows.impact.recipe import parse_impact, read_impact
from gristmill.flows.impact.run import measure_impact
from gristmill.flows.models.pretraining import (
    continue_text,
    pretrain_settings,
    progress_line,
    train_model,
    write_export,
)
from gristmill.flows.report.models import SUMMARY, read_log
from gristmill.options import Path, Paths, Settings, changes_of, path_of, paths_of, running
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import to_path, verify_file
from gristmill.pipelines.storage.manifest import Manifest


class Model:
    """Trained model in the folder of its run.

    >>> model = gm.open_model("model")
    >>> model.summary["steps"], model.log.columns[:2]
    (2, ['step', 'loss'])
    """

    def __init__(self, folder: Path):
        """Open a finished run. Raises WorkError if there is none."""
        self.folder = to_path(path_of(folder))
        manifest = Manifest.read(self.folder)
        if manifest is None or SUMMARY not in manifest.files:
            made_by = f"`gristmill pretrain TOKENS --output {self.folder}` makes one"
            raise WorkError(f"{self.folder} holds no finished run of a model; {made_by}")
        verify_file(self.folder / SUMMARY, manifest.files[SUMMARY]["sha256"])
        self.summary: dict[str, Any] = orjson.loads((self.folder / SUMMARY).read_bytes())

    @property
    def log(self) -> pl.DataFrame:
        """Loss, learning rate and speed of each step.

        >>> gm.open_model("model").log["step"].to_list()
        [1, 2]
        """
        return read_log(self.folder / "log.jsonl")

    def generate(self, prompt: str = "", copies: int = 1, *, settings: Settings | None = None) -> list[str]:
        """Return continuations of a prompt. ``settings`` are those of sample and machine: ``sample.temperature``.

        >>> len(gm.open_model("model").generate("The mill", settings={"sample.max_new_tokens": 3}))
        1
        """
        return continue_text(str(self.folder), prompt, None, copies, changes_of(settings))[0]

    def export(self, output: Path) -> str:
        """Write the model for ``transformers``, with its tokenizer; return the name of the layout.

        >>> gm.open_model("model").export("exported")
        'llama'
        """
        return write_export(str(self.folder), path_of(output))

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        steps, parameters = self.summary["steps"], self.summary["parameters"]
        return f"Model({str(self.folder)!r}): {parameters:,} parameters, {steps:,} steps"

    def _repr_html_(self) -> str:
        from gristmill.flows.report.notebook import losses_html

        return losses_html(str(self.folder), self.summary, self.log)


def open_model(folder: Path) -> Model:
    """Open the model of a finished run. Raises WorkError if there is none.

    >>> gm.open_model("model").summary["packing"]["kind"]
    'stream'
    """
    return Model(folder)


def pretrain(
    tokens: Path,
    output: Path = "run",
    *,
    preset: str = "nano",
    steps: int | None = None,
    init: Path | None = None,
    settings: Settings | None = None,
    progress: bool | None = None,
) -> Model:
    """Train a GPT on the token shards that `tokenize` made; a stopped run resumes from its last checkpoint.

    ``init`` starts from the weights of a run, GPT-2 or Llama. ``settings`` are of the tables model, train, machine and
    save, such as ``train.lr``. Raises TrainingDiverged if the loss does.

    >>> gm.pretrain("many", "small", steps=2, settings={"model.context": 16}).summary["steps"]
    2
    """
    console = SafeConsole(stderr=True, quiet=not (sys.stderr.isatty() if progress is None else progress))

    def on_log(line: dict) -> None:
        console.print(progress_line(line), soft_wrap=True)

    start = None if init is None else path_of(init)
    wanted = pretrain_settings({"preset": preset, "steps": steps, "init": start}, changes_of(settings))
    train_model(path_of(tokens), path_of(output), wanted, on_log)
    return Model(output)


def impact(
    recipe: Path | Mapping[str, Any],
    input: Paths = (),
    output: Path = "impact",
    *,
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Measure how much each step of a recipe changes a model's loss; return the report, as in ``impact.json``.

    ``recipe`` is the path or name of an experiment's recipe (``impact-small``), or its table; ``settings`` change it:
    ``budget.seeds``. An experiment takes minutes to hours; a stopped one continues when it is called again.

    >>> found = gm.impact("experiment.toml", "many.jsonl", "impact", workers=1)
    >>> found["headline"].partition(" ")[0], sorted(arm["name"] for arm in found["arms"])
    ('full', ['full', 'raw'])
    """
    changed = changes_of(settings), tuple(paths_of(input))
    if isinstance(recipe, Mapping):
        wanted = parse_impact(copy.deepcopy(dict(recipe)), "recipe", *changed)
    else:
        wanted = read_impact(path_of(recipe), *changed)
    folder = to_path(output)
    with running(folder, engine, workers, progress) as (opened, bar):
        return measure_impact(wanted, folder, opened, bar, bar.console.print)
