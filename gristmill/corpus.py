"""Runs over a corpus: clean it by a recipe, deduplicate it, decontaminate it."""

import copy
import os
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from upath import UPath

from gristmill.flows.clean.dedup_index import save_index
from gristmill.flows.clean.dedup_recipes import contamination_recipe, indexed_recipe
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.clean.recipe import read_recipe as read_file
from gristmill.flows.clean.recipe_files import extend
from gristmill.flows.clean.run import clean as clean_corpus
from gristmill.options import Path, Paths, Settings, changes_of, path_of, paths_of, running
from gristmill.pipelines.errors import RecipeError, shown
from gristmill.pipelines.ingest.demo_corpus import write_demo
from gristmill.pipelines.inputs.input_tables import with_paths
from gristmill.pipelines.storage.files import to_path
from gristmill.run import Run


def demo(output: Path = "demo", max_mb: float = 64) -> dict[str, Any]:
    """Write a corpus from text that is on this machine: READMEs, licenses and docstrings of its Python packages.

    Returns counts of documents by kind. Raises WorkError if the folder contains other files.

    >>> gm.demo("demo", 0.1)["files"]
    ['demo-00000.jsonl.zst']
    """
    return write_demo(path_of(output), max_mb).summary()


def read_recipe(
    recipe: Path | Mapping[str, Any] | Recipe, input: Paths = (), settings: Settings | None = None
) -> Recipe:
    """Return a recipe, checked: by the name of a shipped one, the path of a file, or as a table.

    ``input`` replaces its input paths; ``settings`` change settings of its steps. Raises RecipeError for unknown keys
    and invalid values.

    >>> gm.read_recipe("clean-corpus", settings={"gopher.min_words": 30}).steps["gopher"].min_words
    30
    >>> list(gm.read_recipe({"steps": {"gopher": {}, "exact": {}}}).steps)
    ['gopher', 'exact']
    """
    changes, paths = changes_of(settings), tuple(paths_of(input))
    if isinstance(recipe, Recipe):
        _check_classes(recipe)
    if isinstance(recipe, str | os.PathLike | UPath):
        return read_file(path_of(recipe), changes, paths)
    if isinstance(recipe, Recipe) and not changes:
        return recipe.model_copy(update={"input": with_paths(recipe.input, paths)})
    if not isinstance(recipe, Recipe | Mapping):
        raise RecipeError(f"recipe: expected a name, a path, a table or a Recipe, found {shown(recipe)}")
    table = recipe.table() if isinstance(recipe, Recipe) else extend(copy.deepcopy(dict(recipe)), "", "recipe")
    built = parse_recipe(table, "recipe", changes)
    return built.model_copy(update={"input": with_paths(built.input, paths)})


def _check_classes(recipe: Recipe) -> None:
    """Raise RecipeError for a step whose class only this notebook or script has."""
    for name, step in recipe.steps.items():
        if (kind := type(step)).__module__ == "__main__":
            why = "which workers cannot load, and whose changes no fingerprint would show"
            remedy = f'write it to a file and name it: {{"{name}": {{"use": "my_filters.py:{kind.__name__}"}}}}'
            raise RecipeError(f"steps.{name}: {kind.__name__} is a class of this notebook or script, {why}; {remedy}")


def clean(
    recipe: Path | Mapping[str, Any] | Recipe,
    input: Paths = (),
    output: Path = "work",
    *,
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> Run:
    """Run a recipe: read raw files; write clean documents, removed documents, and the reasons for each removal.

    Finished work in ``output`` is reused. ``recipe``, ``input`` and ``settings`` are those of `read_recipe`.
    ``engine`` runs jobs: processes, threads, dask, dask:ADDRESS or slurm; ``workers`` at a time, by default one per
    core. ``progress`` is shown on a terminal, unless it is False. Raises GristmillError for every mistake of a user.

    >>> run = gm.clean({"steps": {"gopher": {"min_words": 3, "min_stop_words": None}}}, "texts.jsonl", "other")
    >>> run.summary["documents_in"], run.summary["clean"]
    (3, 2)
    """
    return _run(read_recipe(recipe, input, settings), output, engine, workers, progress)


def run_recipe(
    recipe: Path | Mapping[str, Any] | Recipe,
    input: Paths = (),
    output: Path = "work",
    *,
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> Run:
    """Run a recipe to its end: clean, then the tokenizers, tokens, exports, model and report of its sections.

    Arguments and errors are those of `clean`. Tokenizers, tokens and models are in ``output``.

    >>> sections = {"tokenizer": {"bpe": {"vocab_size": 262}}, "tokens": {}}
    >>> run = gm.run_recipe({"steps": {"exact": {}}} | sections, "texts.jsonl", "whole")
    >>> len(gm.Tokenizer.load(run.folder / "tokenizers" / "bpe")), (run.folder / "tokens" / "bpe").exists()
    (262, True)
    """
    from gristmill.flows.project.run import run_recipe as run_to_end
    from gristmill.flows.project.sections import read_sections

    wanted, folder = read_recipe(recipe, input, settings), to_path(output)
    sections = read_sections(wanted, "recipe")
    with running(folder, engine, workers, progress) as (opened, bar):
        run_to_end(wanted, sections, folder, opened, bar, bar.console.print)
    return Run(folder)


def dedup(
    corpus: Paths,
    output: Path = "work",
    *,
    level: Literal["document", "sentence", "substring", "dataset"] = "document",
    threshold: float | None = None,
    near_threshold: float | None = None,
    against: Paths = (),
    against_index: Paths = (),
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> Run:
    """Deduplicate a corpus.

    - ``document``: drop exact and near copies of documents (Jaccard similarity of ``threshold``, 0.8)
    - ``sentence``: cut repeated lines, with ``near_threshold`` also nearly equal ones
    - ``substring``: cut repeated spans of 50 words, wherever they begin
    - ``dataset``: drop copies of documents in the corpora of ``against``

    ``against_index`` names folders that ``gristmill dedup --save-index`` wrote. The rest is as in `clean`.

    >>> gm.dedup(["texts.jsonl", "copies.jsonl"], "deduplicated").removed.to_polars()["duplicate_of"].to_list()
    ['long']
    """

    def save(recipe: Recipe, paths: list[str], index: str) -> None:
        with running(to_path(index), engine, workers, progress) as (opened, bar):
            save_index(recipe, paths, to_path(index), opened, bar)

    changes, indices = changes_of(settings), paths_of(against_index)
    levels = partial(indexed_recipe, level, paths_of(corpus), paths_of(against), indices)
    recipe = levels(threshold, changes, near_threshold, work=path_of(output), save=save)
    return _run(recipe, output, engine, workers, progress)


def decontaminate(
    corpus: Paths,
    against: Paths,
    output: Path = "work",
    *,
    action: Literal["drop", "cut", "report"] = "drop",
    settings: Settings | None = None,
    engine: str = "processes",
    workers: int | None = None,
    progress: bool | None = None,
) -> Run:
    """Find the items of evaluation sets in a corpus; drop the documents, cut the items, or only report.

    The tables ``items`` and ``found`` of the step ``decontaminate`` hold the results. The rest is as in `clean`.

    >>> run = gm.decontaminate("texts.jsonl", "quiz.jsonl", "decontaminated")
    >>> run.table("decontaminate", "items").to_polars()["documents"].to_list()
    [0]
    """
    recipe = contamination_recipe(paths_of(corpus), paths_of(against), action, changes_of(settings))
    return _run(recipe, output, engine, workers, progress)


def _run(recipe: Recipe, output: Path, engine: str, workers: int | None, progress: bool | None) -> Run:
    folder = to_path(output)
    with running(folder, engine, workers, progress) as (opened, bar):
        clean_corpus(recipe, folder, opened, bar)
    return Run(folder)
