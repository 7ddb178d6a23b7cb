"""Jobs without what they have not declared: of every finished folder, a job sees its inputs and nothing else.

A job that reads a folder it does not declare would keep its old result when that folder changes. Files are hidden
rather than reads watched, because Arrow, Polars and NumPy read past any hook in Python.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import pytest

from gristmill.pipelines.steps import step
from gristmill.pipelines.steps.step import Input, Job
from gristmill.pipelines.storage.manifest import Manifest

SUFFIX = ".undeclared"  # a shard of that name is none


def place(path: object) -> str:
    """Return the absolute path of a file or folder."""
    return str(Path(str(path)).absolute())


@contextmanager
def hidden(job: Job, finished: Iterable[str]) -> Iterator[None]:
    """Rename the files of finished folders that the job neither declares nor makes, for as long as it runs."""
    seen = {place(output.folder) for output in job.outputs}
    for each in job.inputs:
        if isinstance(each, Input):
            seen.add(place(each.path if each.name else each.folder))
        else:
            seen.add(place(each.url))
    others = [Path(folder) for folder in finished if folder not in seen]
    paths = [path for folder in others if folder.is_dir() for path in folder.iterdir() if path.is_file()]
    away = {path: path.with_name(path.name + SUFFIX) for path in paths if str(path) not in seen}
    for path, elsewhere in away.items():
        path.rename(elsewhere)
    try:
        yield
    finally:
        for path, elsewhere in away.items():
            elsewhere.rename(path)


@pytest.fixture(autouse=True)
def _undeclared_inputs_are_hidden(monkeypatch):
    """Jobs that run in this process, one at a time, see of the folders of this test what they declare."""
    finished, read, write, run_job = set(), Manifest.read.__func__, Manifest.write, step._run_job
    alone = Lock()  # threads would see what is hidden from each other

    def noted_read(cls, folder):
        if manifest := read(cls, folder):
            finished.add(place(folder))
        return manifest

    def noted_write(manifest, folder):
        write(manifest, folder)
        finished.add(place(folder))

    def run_hidden(job):
        with alone, hidden(job, finished):
            return run_job(job)

    monkeypatch.setattr(Manifest, "read", classmethod(noted_read))
    monkeypatch.setattr(Manifest, "write", noted_write)
    monkeypatch.setattr(step, "_run_job", run_hidden)
