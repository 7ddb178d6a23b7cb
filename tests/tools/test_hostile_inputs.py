"""Hostile inputs: a sample of the kinds, and the checks that find a bad run."""

import polars as pl
import pytest

from tools.hostile_inputs import __main__ as hostile
from tools.hostile_inputs.raw import Kind, Raw

SAMPLE = ("truncated object", "CSV quotes inside", "zstd of a long window", "WARC of a huge length", "e-mail addresses")


@pytest.fixture(scope="module")
def worker():
    running = hostile.Worker()
    yield running
    running.close()


@pytest.mark.parametrize("name", SAMPLE)
def test_good_documents_survive_bad_ones_beside_them(tmp_path, worker, name):
    assert hostile.run_kind(hostile.KINDS[name], tmp_path, worker).problems == []


def test_a_run_that_stops_is_bad_unless_it_may(tmp_path, worker):
    few = Kind(lambda raw: raw.settings.update(max_reject_fraction=0.0) or raw.among("no object"))
    result = hostile.run_kind(few, tmp_path / "must not", worker)
    assert (result.code, result.problems) == (hostile.USER_ERROR, ["8 of 8 good documents lost"])
    assert result.last.startswith("Error: 1 of 9 records could not be read")
    assert hostile.run_kind(few._replace(stop=True), tmp_path / "may", worker).problems == []


def test_documents_that_changed_or_are_in_no_ledger_are_lost(tmp_path):
    raw = Raw(tmp_path / "raw")
    good = [raw.document() for _ in range(4)]
    for folder, rows in (("documents", [{**good[0], "text": "x"}, *good[1:]]), ("ledger", good)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.json").touch()
        pl.DataFrame(rows).with_columns(bytes=pl.lit(1)).write_parquet(tmp_path / folder / "part.parquet")
    assert hostile.lost_documents(tmp_path, raw.good) == 1
    pl.DataFrame(good).write_parquet(tmp_path / "documents" / "part.parquet")
    assert hostile.lost_documents(tmp_path, raw.good) == 0
    pl.DataFrame(good[:2]).with_columns(bytes=pl.lit(1)).write_parquet(tmp_path / "ledger" / "part.parquet")
    assert hostile.lost_documents(tmp_path, raw.good) == 2
    (tmp_path / "ledger" / "manifest.json").unlink()
    assert hostile.lost_documents(tmp_path, raw.good) == 4


def test_a_process_that_dies_or_hangs_is_started_again():
    worker = hostile.Worker()
    assert worker.run(["--version"], 60)["code"] == 0
    worker.process.kill()
    worker.process.wait()
    assert worker.run(["--version"], 60)["code"] == -9
    assert worker.run(["--version"], 0.0)["code"] is None
    worker.close()


def test_kinds_are_many_and_their_names_differ():
    assert len(hostile.KINDS) >= 120
    modules = (hostile.records, hostile.files, hostile.texts)
    assert sum(len(module.KINDS) for module in modules) == len(hostile.KINDS)
