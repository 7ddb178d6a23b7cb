"""Manifests say nothing of the times of input files; a changed time is read again and changes no byte."""

import os
import shutil

import pytest
from upath import UPath

from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.ingest.input_versions import INPUTS
from gristmill.pipelines.steps.step import fits, run_serial, run_step
from tests.ingesting import lines, write

ROWS = [{"id": f"{i % 7}", "text": f"grain {i}"} for i in range(20)]  # ids come twice and are renamed


def step_of(raw, work):
    return ingest_step(UPath(work), [InputSettings(paths=[str(raw)], work_unit_bytes=100, max_reject_fraction=1.0)])


def run(raw, work):
    return run_step(step_of(raw, work)).jobs_run


def files(work):
    found = (path for folder in ("documents", "rejects") for path in (work / folder).iterdir())
    return {str(path.relative_to(work)): path.read_bytes() for path in found}


@pytest.fixture
def raw(tmp_path):
    """Write a file that is cut, a small one, and one with a reject."""
    texts = {"a__jsonl": lines(*ROWS[:12]), "b__jsonl": lines(*ROWS[12:14]), "c__jsonl": lines(*ROWS[14:]) + b"[]\n"}
    return write(tmp_path / "raw", **texts)


def touch(folder, seconds):
    for path in folder.iterdir():
        os.utime(path, (seconds, seconds))


def test_copies_with_other_times_have_equal_folders(tmp_path, raw):
    copy = shutil.copytree(raw, tmp_path / "copy" / "raw")
    touch(copy, 1_000_000)
    assert run(raw, tmp_path / "one") == run(copy, tmp_path / "two") > 3
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert run(raw, tmp_path / "one") == 0 and fits(step_of(raw, tmp_path / "one"))


@pytest.mark.parametrize(
    "change",
    [
        lambda raw, work: touch(raw, 1_000_000),
        lambda raw, work: (work / INPUTS).unlink(),
        lambda raw, work: (work / INPUTS).write_bytes(b"{}"),
    ],
    ids=["another time", "versions lost", "versions damaged"],
)
def test_what_may_have_changed_is_read_again_to_the_same_bytes(tmp_path, raw, change):
    work = tmp_path / "work"
    jobs = run(raw, work)
    before = files(work)
    change(raw, work)
    assert not fits(step_of(raw, work))
    assert run(raw, work) == jobs and files(work) == before
    assert run(raw, work) == 0


def test_another_text_of_the_same_size_is_read(tmp_path, raw):
    work = tmp_path / "work"
    run(raw, work)
    before = files(work)
    (raw / "b.jsonl").write_bytes((raw / "b.jsonl").read_bytes().replace(b"grain", b"flour"))
    touch(raw, 1_000_000)
    assert run(raw, work) and files(work) != before
    run(raw, tmp_path / "new")
    assert files(work) == files(tmp_path / "new")


@pytest.mark.parametrize("number", range(4))
def test_a_lost_shard_is_made_again_with_the_ids_it_had(tmp_path, raw, number):
    work = tmp_path / "work"
    jobs = run(raw, work)
    before = files(work)
    assert any(b"~" in data for data in before.values())
    sorted((work / "documents").glob("*.parquet"))[number].unlink()
    assert 0 < run(raw, work) <= jobs and files(work) == before


def test_a_stopped_run_repeats_nothing_that_is_recorded(tmp_path, raw):
    work = tmp_path / "work"

    def engine(jobs):
        yield from run_serial(jobs[:-1])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(step_of(raw, work), engine)
    assert run(raw, work) == 1
    run(raw, tmp_path / "whole")
    assert files(work) == files(tmp_path / "whole")


def test_another_size_of_units_gives_the_shards_of_a_fresh_run(raw, tmp_path):
    def run_with(work, unit_bytes):
        run_step(
            ingest_step(
                UPath(work), [InputSettings(paths=[str(raw)], work_unit_bytes=unit_bytes, max_reject_fraction=1.0)]
            )
        )

    run_with(tmp_path / "work", 100)
    run_with(tmp_path / "work", 250)
    run_with(tmp_path / "fresh", 250)
    assert files(tmp_path / "work") == files(tmp_path / "fresh")
