"""Several inputs in one recipe: unique ids, no dependence on their order, and only what changed is read again."""

from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from gristmill.pipelines.errors import InputError, TooManyRejects
from gristmill.pipelines.ingest import finalize
from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.inputs.inputs import find_inputs
from gristmill.pipelines.steps.step import run_serial, run_step
from tests.ingesting import Ingested, lines, write

ALL = {"max_reject_fraction": 1.0}


def inputs_of(*tables):
    return [InputSettings(**ALL | {"paths": [str(table.pop("paths"))]} | table) for table in map(dict, tables)]


def ingest(work, *tables):
    """Ingest, and return what lies there with the names of the parts that were made."""
    parts = []

    def engine(jobs):
        for job, made in run_serial(jobs):
            parts.extend({output.name for output in job.outputs})
            yield job, made

    run_step(ingest_step(UPath(work), inputs_of(*tables)), engine)
    return Ingested(work), parts


def contents(work):
    """Name and checksum of each file that the ingestion wrote, without the times of its inputs."""
    found = (path for folder in ("documents", "rejects") for path in sorted((work / folder).rglob("*")))
    return {str(path.relative_to(work)): sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()}


@pytest.fixture
def raw(tmp_path):
    """Write two folders with different columns, and a rejected line in each."""
    write(tmp_path / "raw" / "web", a__jsonl=lines({"body": "one", "url": "u"}, {"body": "two", "url": None}) + b"[]\n")
    write(tmp_path / "raw" / "wiki", a__jsonl=lines({"text": "three", "n": 1 << 60}, {"text": "four", "n": 2}) + b"1\n")
    return tmp_path / "raw"


def test_each_input_has_its_own_columns_and_source(tmp_path, raw):
    made, _ = ingest(
        tmp_path / "work", {"paths": raw / "web", "text": "body", "source": "crawl"}, {"paths": raw / "wiki"}
    )
    rows = {row["id"]: row for row in made.rows}
    assert rows["web/a.jsonl:1"] == {"id": "web/a.jsonl:1", "text": "one", "source": "crawl", "url": "u", "n": None}
    assert rows["wiki/a.jsonl:2"]["source"] == "wiki" and len(rows) == 4
    assert sorted(made.places) == [("web/a.jsonl", 3, "not an object"), ("wiki/a.jsonl", 3, "not an object")]


def test_their_order_changes_no_byte(tmp_path, raw):
    tables = {"paths": raw / "web", "text": "body"}, {"paths": raw / "wiki", "language": "en"}
    for work, order in (("one", tables), ("two", tables[::-1])):
        ingest(tmp_path / work, *order)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


CHANGES = {
    "another column": lines({"text": "three", "title": "t"}),
    "a column less": lines({"text": "three"}),
    "a column of the other": lines({"text": "three", "url": "v"}),
    "no value in a column": lines({"text": "three", "n": None, "url": None}),
    "another type": lines({"text": "three", "n": "many"}),
    "a type that the other's column gets": lines({"text": "three", "url": 7}),
    "an id of the other": lines({"text": "three", "id": "web/a.jsonl:1"}),
}
JOINT = {"an id of the other", "a type that the other's column gets"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_input_is_read_again_alone_to_the_bytes_of_a_new_run(tmp_path, raw, change):
    tables = {"paths": raw / "web", "text": "body"}, {"paths": raw / "wiki"}
    _, all_parts = ingest(tmp_path / "work", *tables)
    assert len(all_parts) == 2 and ingest(tmp_path / "work", *tables)[1] == []
    before = (raw / "wiki" / "a.jsonl").read_bytes()
    for data in (CHANGES[change], before):  # there and back: what was added to the other must go again
        (raw / "wiki" / "a.jsonl").write_bytes(data)
        _, parts = ingest(tmp_path / "work", *tables)
        ingest(tmp_path / f"new-{len(data)}", *tables)
        assert contents(tmp_path / "work") == contents(tmp_path / f"new-{len(data)}")
        assert len(parts) == (2 if data == before and change in JOINT else 1)


def test_a_changed_setting_reads_its_input_again_alone(tmp_path, raw):
    web, wiki = {"paths": raw / "web", "text": "body"}, {"paths": raw / "wiki"}
    ingest(tmp_path / "work", web, wiki)
    _, parts = ingest(tmp_path / "work", web | {"drop": ["url"]}, wiki)
    assert len(parts) == 1
    ingest(tmp_path / "new", web | {"drop": ["url"]}, wiki)
    assert contents(tmp_path / "work") == contents(tmp_path / "new")


def test_a_run_killed_while_it_finalizes_and_then_changed_ends_as_a_new_one(tmp_path, raw, monkeypatch):
    tables = {"paths": raw / "web", "text": "body"}, {"paths": raw / "wiki"}
    before = (raw / "wiki" / "a.jsonl").read_bytes()
    (raw / "wiki" / "a.jsonl").write_bytes(lines({"text": "x", "url": 7, "id": "web/a.jsonl:1"}))  # changes all shards

    def killed(*_):
        raise KeyboardInterrupt

    for kept in range(3):
        work = tmp_path / f"work{kept}"
        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            calls = iter([finalize.record_part] * kept)
            patch.setattr(finalize, "record_part", lambda *args, calls=calls: next(calls, killed)(*args))
            ingest(work, *tables)
        (raw / "wiki" / "a.jsonl").write_bytes(before)
        ingest(work, *tables)
        ingest(tmp_path / f"new{kept}", *tables)
        assert contents(work) == contents(tmp_path / f"new{kept}")
        (raw / "wiki" / "a.jsonl").write_bytes(lines({"text": "x", "url": 7, "id": "web/a.jsonl:1"}))


values = st.one_of(st.none(), st.integers(-3, 1 << 60), st.floats(allow_nan=False), st.text(max_size=3), st.booleans())
records = st.fixed_dictionaries(
    {"text": st.text(max_size=4)}, optional={"id": st.sampled_from("abc"), "n": values, "m": values}
)


@settings(max_examples=15)
@given(st.lists(st.lists(records, min_size=1, max_size=4), min_size=2, max_size=4), st.data())
def test_a_corpus_in_several_inputs_has_the_same_rows(tmp_path_factory, files, data):
    folder = tmp_path_factory.mktemp("split")
    for k, rows in enumerate(files):
        write(folder / "raw", **{f"{k}__jsonl": lines(*rows)})
    ingest(folder / "one", {"paths": folder / "raw"})
    order = data.draw(st.permutations(range(len(files))))
    ingest(folder / "several", *({"paths": folder / "raw" / f"{k}.jsonl"} for k in order))
    one, several = (sorted(Ingested(folder / work).rows, key=lambda row: row["id"]) for work in ("one", "several"))
    assert one == several and len({row["id"] for row in one}) == sum(map(len, files))


def test_what_is_wrong_with_one_names_it(tmp_path, raw):
    with pytest.raises(InputError, match=r"^\[\[input\]\] 2 \(source 'x'\): .*missing: no such file or folder"):
        ingest(tmp_path / "work", {"paths": raw / "web"}, {"paths": raw / "missing", "source": "x"})
    with pytest.raises(InputError, match=r"a.jsonl is in \[\[input\]\] 1 and in \[\[input\]\] 2; .* name it once"):
        ingest(tmp_path / "work", {"paths": raw / "web"}, {"paths": raw})
    with pytest.raises(TooManyRejects, match=r"^\[\[input\]\] 1: 3 of 3 records could not be read"):
        table = {"paths": raw / "wiki", "text": "n", "max_reject_fraction": 0.5}
        ingest(tmp_path / "work", table, {"paths": raw / "web", "text": "body"})


def test_configs_of_one_dataset_have_names_of_their_own():
    one, two = InputSettings(paths=["hf:a/b"], config="en"), InputSettings(paths=["a/b"], format="hf", config="de")
    assert [[file.name for file in files] for files in find_inputs([one, two])] == [["a/b/en/train"], ["a/b/de/train"]]
    assert [file.name for (file,) in find_inputs([one])] == ["a/b"]
    with pytest.raises(InputError, match="a/b is in"):
        find_inputs([one, one])
