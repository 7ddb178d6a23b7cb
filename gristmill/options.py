"""Arguments that several functions share: paths, settings, engine and progress."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:  # encoding needs none of these
    from upath import UPath

    from gristmill.flows.engine.progress import RichProgress
    from gristmill.pipelines.steps.step import Engine

Path = Union[str, os.PathLike, "UPath"]
Paths = Path | Sequence[Path]
Settings = Mapping[str, Any]  # "gopher.min_words" -> 30; None switches a rule off


def paths_of(given: Paths) -> list[str]:
    """Return paths as strings; a run, a model and token shards stand for their folders.

    >>> paths_of("crawl.jsonl"), paths_of(["a", "b"])
    (['crawl.jsonl'], ['a', 'b'])
    """
    from upath import UPath

    return [path_of(path) for path in ([given] if isinstance(given, str | os.PathLike | UPath) else given)]


def path_of(path: Path) -> str:
    """Return a path as a string; a path of a store is its URL."""
    return str(path) if "://" in str(path) or not isinstance(path, str | os.PathLike) else os.fspath(path)


def changes_of(settings: Settings | None) -> tuple[str, ...]:
    """Return settings as the changes that ``--set`` takes."""
    from gristmill.flows.clean.recipe_files import as_changes

    return as_changes(settings or {})


@contextmanager
def running(
    folder: "UPath", engine: str, workers: int | None, progress: bool | None
) -> Iterator[tuple["Engine", "RichProgress"]]:
    """Open an engine, and the progress of a run in ``folder``: shown if asked for, or else on a terminal alone."""
    from gristmill.flows.console import SafeConsole
    from gristmill.flows.engine.engines import engine as open_engine
    from gristmill.flows.engine.progress import RichProgress

    shown = sys.stderr.isatty() if progress is None else progress
    bar = RichProgress(SafeConsole(stderr=True, quiet=not shown), folder)
    try:
        with open_engine(engine, workers) as opened:
            yield opened, bar
    finally:
        bar.stop()
