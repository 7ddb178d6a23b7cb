"""The bar moves while a job runs, in any process, and ends where it did before."""

import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from upath import UPath

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine import progress as shown
from gristmill.flows.engine.engines import engine
from gristmill.flows.engine.progress import RichProgress
from gristmill.pipelines import progress
from gristmill.pipelines.progress import count_bytes, watched
from gristmill.pipelines.steps.step import Job, Output, Written
from gristmill.pipelines.storage.files import to_path


def run_until_seen(outputs):
    """Count bytes until the watcher has seen some."""
    folder = Path(outputs[0].folder)
    while not (folder / f"{outputs[0].name}.seen").exists():
        count_bytes(1000)
        time.sleep(0.02)
    (folder / outputs[0].name).write_text("done")
    return [Written([outputs[0].name], {})]


@pytest.mark.parametrize("name", ["processes", "threads", pytest.param("dask", marks=pytest.mark.slow)])
def test_the_bytes_of_a_running_job_reach_the_watcher(name, tmp_path):
    if name == "dask":
        pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
    sizes = []

    def see(job, size):
        sizes.append(size)
        (tmp_path / f"{job.outputs[0].name}.seen").touch()

    jobs = [Job(run_until_seen, (), (Output(to_path(tmp_path), part),)) for part in "ab"]
    with engine(name, 2) as run, watched(see):
        assert len(list(run(jobs))) == 2
    assert sizes and all(size > 0 and size % 1000 == 0 for size in sizes)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_moves_within_a_job_and_plain_lines_say_how_far_it_is(terminal, monkeypatch):
    monkeypatch.setattr(shown, "LINE_SECONDS", 0)
    console = Console(file=StringIO(), force_terminal=terminal, width=100)
    bar, job = RichProgress(console), Job(run_until_seen, (), (), bytes=8_000_000)
    bar.start("measure", 2, 16_000_000)
    bar.move(job, 2_000_000)
    assert bar.done + sum(bar.running.values()) == 2_000_000
    if terminal:
        assert bar.bar.tasks[0].completed == 2_000_000
    else:
        assert "measure  2.0 of 16.0 MB, " in console.file.getvalue()
    bar.move(job, 9_000_000)  # sizes are estimates: no job moves the bar further than its own bytes
    assert sum(bar.running.values()) == 8_000_000
    bar.advance(job)
    assert (bar.done, bar.running) == (8_000_000, {})
    bar.stop()


class Moves(RichProgress):
    """Progress that keeps the titles of steps whose jobs moved, and the largest share of a job that was told."""

    def __init__(self):
        super().__init__(Console(file=StringIO()))
        self.largest = {}

    def move(self, job, bytes):
        self.largest[self.title] = max(self.largest.get(self.title, 0), bytes / job.bytes)


def test_steps_that_read_text_tell_how_far_they_are(corpus, recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "TELL_SECONDS", 0)
    moves = Moves()
    with engine("threads", 1) as run:
        clean(read_recipe(str(recipe), (), (str(corpus),)), UPath(tmp_path / "work"), run, moves)
    assert {"ingest", "measure", "apply"} <= moves.largest.keys()
    assert all(0.5 < share < 4 for share in moves.largest.values())
