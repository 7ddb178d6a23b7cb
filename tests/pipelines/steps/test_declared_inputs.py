"""What a job does not declare it cannot read, and what it declares it depends on."""

import polars as pl
import pyarrow as pa
import pytest
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.steps.step import Input, Job, Output, RawInput, Step, Written, fits, run_step
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import list_shards, read_shard, write_shard


def put(number, outputs):
    (output,) = outputs
    table = pa.table({"number": [number]})
    return [Written([output.path.name], {"rows": write_shard(output.path, [table], table.schema)})]


def add(paths, outputs):
    """The sum of the shards."""
    return put(sum(read_shard(path)["number"][0].as_py() for path in paths), outputs)


def add_all(folder, outputs):
    return add(list_shards(folder), outputs)


def numbers(folder, **parts):
    """A step that writes a number to each part."""
    return Step("put", {folder: {}}, [Job(put, (n,), (Output(folder, name, settings=n),)) for name, n in parts.items()])


def total(work, args, inputs, function=add):
    folder = work / "sum"
    return Step("add", {folder: {}}, [Job(function, (args,), (Output(folder, "sum", inputs),))])


def found(work):
    return pl.from_arrow(read_shard(work / "sum" / "sum.parquet"))["number"].item()


@pytest.fixture
def work(tmp_path):
    run_step(numbers(UPath(tmp_path) / "a", x=1, y=2))
    run_step(numbers(UPath(tmp_path) / "b", x=30, y=40))
    return UPath(tmp_path)


def test_what_is_declared_is_read(work):
    run_step(total(work, [work / "a" / "x.parquet"], (Input(work / "a", "x"),)))
    assert found(work) == 1
    run_step(total(work, work / "b", (Input(work / "b"),), add_all))
    assert found(work) == 70


@pytest.mark.parametrize("inputs", [(), ("b",), ("a", "y")], ids=["nothing", "another folder", "another shard"])
def test_a_job_that_reads_what_it_has_not_declared_fails(work, inputs):
    declared = (Input(work / inputs[0], *inputs[1:]),) if inputs else ()
    step = total(work, [work / "a" / "x.parquet"], declared)
    with pytest.raises(WorkError, match=r"x\.parquet"):
        run_step(step)
    assert {path.name for path in (work / "a").iterdir()} == {"x.parquet", "y.parquet", "manifest.json"}


def test_who_declares_a_shard_does_not_see_the_folder(work):
    with pytest.raises(WorkError, match="missing or unfinished"):
        run_step(total(work, work / "a", (Input(work / "a", "x"),), add_all))


def test_a_changed_input_makes_the_part_anew_and_no_other(work):
    one = total(work, [work / "a" / "x.parquet"], (Input(work / "a", "x"),))
    run_step(one)
    run_step(numbers(work / "a", x=1, y=5))
    assert fits(one)
    run_step(numbers(work / "a", x=7, y=5))
    assert not fits(one)
    assert run_step(one).jobs_run == 1 and found(work) == 7


@pytest.mark.parametrize("whole", [False, True], ids=["a shard", "a folder"])
@pytest.mark.parametrize("damaged", ["x", "y"])
def test_a_damaged_input_ends_the_step_before_its_job_reads_it(work, whole, damaged):
    """Of a folder each file is verified, of a shard's folder that shard alone."""
    path, ran = work / "a" / f"{damaged}.parquet", []
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    def job(outputs):
        ran.append(1)
        return put(0, outputs)

    inputs = (Input(work / "a"),) if whole else (Input(work / "a", "x"),)
    step = Step("read", {work / "sum": {}}, [Job(job, (), (Output(work / "sum", "sum", inputs),))])
    if not whole and damaged == "y":
        assert run_step(step).jobs_run == 1
        return
    with pytest.raises(WorkError, match=rf"{damaged}\.parquet is damaged: .* remove it and run again"):
        run_step(step)
    assert not ran and Manifest.read(work / "sum") is None
    path.unlink()
    run_step(numbers(work / "a", x=1, y=2))
    assert run_step(step).jobs_run == 1


def test_an_input_whose_folder_is_unfinished_is_one_line(work):
    (work / "a" / "manifest.json").unlink()
    with pytest.raises(WorkError, match="a is missing or unfinished"):
        run_step(total(work, [], (Input(work / "a"),)))


def test_a_file_that_no_step_made_is_known_by_its_version(work):
    run_step(total(work, [], (RawInput("raw.jsonl", ("raw", 1)),)))
    assert fits(total(work, [], (RawInput("raw.jsonl", ("raw", 1)),)))
    assert fits(total(work, [], (RawInput("moved.jsonl", ("raw", 1)),)))
    assert not fits(total(work, [], (RawInput("raw.jsonl", ("raw", 2)),)))


def test_what_a_step_makes_itself_is_known_by_what_it_is_made_of(work):
    """The second output reads the first: it changes when the first's settings do, before there is a first."""

    def step(n):
        first = Output(work / "first", "x", settings=n)
        second = Output(work / "second", "x", (Input(work / "first", "x"),))
        folders = {first.folder: {}, second.folder: {}}
        return Step("two", folders, [Job(lambda outputs: [put(n, [each])[0] for each in outputs], (), (first, second))])

    run_step(step(1))
    assert fits(step(1)) and not fits(step(2))
    assert run_step(step(2)).jobs_run == 1
    parts = Manifest.read(work / "second").parts
    run_step(step(1))
    assert Manifest.read(work / "second").parts != parts
