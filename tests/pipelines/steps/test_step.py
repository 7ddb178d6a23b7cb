"""Steps skip what fits, redo what does not, and survive being stopped anywhere."""

import contextlib
import dataclasses
import itertools
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.steps.step import Job, Output, Step, Written, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import MANIFEST, PROGRESS, Manifest, require_finished


class Killed(BaseException):
    """What a SIGKILL would do to the process, as far as files are concerned."""


ran = []


def write(content, outputs):
    for output in outputs:
        ran.append(output.name)
        output.folder.mkdir(parents=True, exist_ok=True)
        (output.folder / output.name).write_text(content)
    return [Written([output.name], {"files": 1, "bytes": len(content)}) for output in outputs]


def step_over(folder, contents, settings=0, work=write):
    """A step of a file for each of ``contents``: {name: content}."""
    jobs = [Job(work, (text,), (Output(folder, n, settings=text),)) for n, text in contents.items()]
    return Step("test", {folder: {"settings": settings}}, jobs)


@pytest.fixture(autouse=True)
def _forget():
    ran.clear()


@pytest.fixture
def folder(tmp_path):
    return to_path(tmp_path / "folder")


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_memory_is_released_after_the_last_job_of_a_step(folder, monkeypatch):
    released = []
    pool = SimpleNamespace(release_unused=lambda: released.append(len(ran)))
    monkeypatch.setattr(pa, "default_memory_pool", lambda: pool)
    run_step(step_over(folder, {"a": "1", "b": "22"}))
    assert released == [2]


def test_what_a_worker_left_unfinished_is_gone_when_its_job_has_run_again(folder):
    def work(content, outputs):
        for place in (folder, folder / "lang=en"):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"a.tmp-{os.getpid() + 1}").write_text("half")
        return write(content, outputs)

    run_step(step_over(folder, {"a": "text"}, work=work))
    assert {path.name for path in Path(folder).rglob("*") if path.is_file()} == {"a", MANIFEST}


def test_a_finished_step_is_not_run_again(folder):
    first = run_step(step_over(folder, {"a": "1", "b": "22"}))
    again = run_step(step_over(folder, {"a": "1", "b": "22"}))
    assert ran == ["a", "b"] and (first.jobs_run, again.jobs_run) == (2, 0)
    assert again.manifests[folder].counts == {"files": 2, "bytes": 3}


def test_only_what_changed_is_made_again(folder):
    run_step(step_over(folder, {"a": "1", "b": "2"}))
    run_step(step_over(folder, {"a": "1", "b": "changed"}))
    assert ran == ["a", "b", "b"] and (folder / "b").read_text() == "changed"


def test_a_part_that_is_no_longer_wanted_goes(folder):
    run_step(step_over(folder, {"a": "1", "b": "2"}))
    run_step(step_over(folder, {"b": "2"}))
    assert sorted(files(folder)) == ["b", MANIFEST] and ran == ["a", "b"]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_text("longer")])
def test_a_part_that_was_lost_or_cut_is_made_again(folder, damage):
    run_step(step_over(folder, {"a": "1", "b": "2"}))
    damage(folder / "a")
    run_step(step_over(folder, {"a": "1", "b": "2"}))
    assert ran == ["a", "b", "a"] and (folder / "a").read_text() == "1"


def test_an_error_of_the_file_system_at_the_end_of_a_step_is_one_line(folder):
    def done(manifests):
        (folder / "gone").read_bytes()

    step = dataclasses.replace(step_over(folder, {"a": "1"}), done=done)
    with pytest.raises(WorkError, match=r"test: .*gone: No such file or directory; correct the cause; run again"):
        run_step(step)
    assert run_step(step_over(folder, {"a": "1"})).jobs_run == 0


def flip(path):
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def test_a_part_that_rotted_is_made_again_when_its_folder_changes(folder):
    """A finished folder is up to date by sizes; once one of its parts is made again, the others are proven."""
    run_step(step_over(folder, {"a": "1", "b": "2", "c": "3"}))
    flip(folder / "b")
    assert run_step(step_over(folder, {"a": "1", "b": "2", "c": "3"})).jobs_run == 0
    run_step(step_over(folder, {"a": "1", "b": "2", "c": "4"}))
    assert ran == ["a", "b", "c", "b", "c"] and (folder / "b").read_text() == "2"


def test_a_part_that_rotted_after_a_kill_is_made_again(folder):
    def failing(content, outputs):
        if content == "2":
            raise Killed
        return write(content, outputs)

    with pytest.raises(Killed):
        run_step(step_over(folder, {"a": "1", "b": "2"}, work=failing))
    flip(folder / "a")
    run_step(step_over(folder, {"a": "1", "b": "2"}))
    assert ran == ["a", "a", "b"] and (folder / "a").read_text() == "1"


def test_a_damaged_record_of_a_killed_run_is_one_line(folder):
    folder.mkdir()
    (folder / PROGRESS).mkdir()
    (folder / PROGRESS / "a.json").write_text("{}")
    with pytest.raises(WorkError, match=r"a\.json is damaged or was edited: .*; remove it and run again"):
        run_step(step_over(folder, {"a": "1"}))


def test_a_manifest_tells_nothing_that_two_runs_would_write_differently(folder, tmp_path):
    other = to_path(tmp_path / "other")
    run_step(step_over(folder, {"a": "1"}))
    run_step(step_over(other, {"a": "1"}))
    assert files(folder) == files(other)


def test_a_folder_of_somebody_else_is_left_alone(folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(WorkError, match="not Gristmill's"):
        run_step(step_over(folder, {"a": "1"}))
    assert sorted(files(folder)) == ["thesis.tex"]


def test_an_unfinished_folder_says_what_makes_it(folder):
    with pytest.raises(WorkError, match="unfinished; `gristmill clean` makes it"):
        require_finished(folder, "`gristmill clean` makes it")


# All as long as each other, so that only fingerprints can tell them apart.
contents = st.dictionaries(st.sampled_from("ab"), st.sampled_from("123"), max_size=2)


@given(st.lists(st.tuples(contents, st.integers(0, 1), st.integers(0, 40)), min_size=1, max_size=4), contents)
def test_killed_anywhere_and_started_again_equals_an_uninterrupted_run(tmp_path_factory, killed, last):
    """Whatever runs were killed before, at whichever touch of the file system, the last one's folder is the same."""
    folder, clean = (to_path(tmp_path_factory.mktemp("step")) / name for name in ("folder", "clean"))
    for wanted, settings, touches in killed:
        with pytest.MonkeyPatch.context() as patch:
            kill_after(patch, touches)
            with contextlib.suppress(Killed):
                run_step(step_over(folder, wanted, settings))
    run_step(step_over(folder, last))
    run_step(step_over(clean, last))
    assert files(folder) == files(clean)
    assert Manifest.read(folder).counts["files"] == len(last)


def test_a_change_killed_half_way_and_taken_back_leaves_nothing_of_it(folder):
    """One version killed at each touch of the file system, then another, then the first again: it alone is there."""
    for first, second in itertools.product(range(3, 12), range(3, 14)):
        killed_after(first, step_over(folder, {"a": "1", "b": "1"}))
        killed_after(second, step_over(folder, {"a": "2", "b": "2"}))
        run_step(step_over(folder, {"a": "1", "b": "1"}))
        assert {name: files(folder)[name] for name in "ab"} == {"a": b"1", "b": b"1"}, (first, second)
        shutil.rmtree(folder)


def killed_after(touches, step):
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        kill_after(patch, touches)
        run_step(step)


def kill_after(patch, touches):
    """Raise Killed at the n-th operation that changes the file system."""
    left = [touches]

    def counted(operation):
        def run(*args, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return operation(*args, **options)

        return run

    for owner, name in ((os, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "write_text"), (shutil, "rmtree")):
        patch.setattr(owner, name, counted(getattr(owner, name)))


def test_progress_is_gone_when_the_folder_is_finished(folder):
    run_step(step_over(folder, {"a": "1"}))
    assert PROGRESS not in files_and_folders(folder)


def files_and_folders(folder):
    return {path.name for path in folder.iterdir()}
