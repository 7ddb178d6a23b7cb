"""Objects that no table can hold are rejects; all records beside them are read."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, lines, write

from gristmill.pipelines.inputs import records
from gristmill.pipelines.inputs.records import RecordBatch

MAX_COLUMNS = 20  # in place of 2,000, of which each costs 5 ms
GOOD = [{"id": "a", "text": "good", "n": 1}, {"id": "b", "text": "also good", "n": 2}]


def nested(levels: int) -> bytes:
    """Return an object with a value of a number of levels."""
    return b'{"text": "deep", "deep": ' + b"[" * levels + b"]" * levels + b"}\n"


def wide(keys: int) -> bytes:
    return lines({"text": "wide"} | {f"key-{i}": i for i in range(keys - 1)})


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (nested(254), None),
        (nested(255), "nested too deep"),
        (nested(1000), "nested too deep"),
        (nested(1023), "nested too deep"),
        (nested(1024), "not JSON"),
        (wide(MAX_COLUMNS - 2), None),  # with id and n
        (wide(MAX_COLUMNS - 1), "too many keys"),
        (wide(5000), "too many keys"),
    ],
)
@pytest.mark.parametrize("as_id", [False, True])
def test_an_object_that_no_table_holds_is_rejected_alone(tmp_path, monkeypatch, odd, reason, as_id):
    monkeypatch.setattr(records, "MAX_COLUMNS", MAX_COLUMNS)
    raw = write(
        tmp_path / "raw", x__jsonl=lines(GOOD[0]) + odd.replace(b'"deep"', b'"id"') * as_id + odd + lines(GOOD[1])
    )
    made = ingest(tmp_path / "work", raw)
    texts = [text for text in made.texts if text in ("good", "also good")]
    assert texts == ["good", "also good"]
    times = 1 + as_id
    assert [each for _, _, each in made.places] == ([reason] * times if reason else [])
    assert len(made.texts) == 2 + (0 if reason else times)
    assert len(made.table.schema) <= MAX_COLUMNS + 3


def test_a_file_of_nothing_else_is_all_rejects(tmp_path):
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__jsonl=wide(5000) + nested(300)))
    assert not made.texts
    assert made.places == [("x.jsonl", 1, "too many keys"), ("x.jsonl", 2, "nested too deep")]


def test_of_keys_that_are_data_the_first_have_room(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "MAX_COLUMNS", 50)
    rows = [{"text": str(n), **{f"{n}-{k}": 1 for k in range(10)}} for n in range(30)]
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__jsonl=lines(*rows, *GOOD)))
    assert made.texts == [*map(str, range(4)), "good", "also good"]  # 1 + 4 * 10 + id and n
    assert {reason for _, _, reason in made.places} == {"too many keys"}


@given(st.lists(st.sampled_from(["good", "wide", "deep"]), max_size=8))
def test_rows_and_refusals_are_all_rows(kinds):
    rows = {"good": {"text": "t"}, "wide": orjson.loads(wide(2001)), "deep": orjson.loads(nested(255))}
    batch = RecordBatch.rows([rows[kind] for kind in kinds], list(range(len(kinds))))
    assert batch.numbers.tolist() == [n for n, kind in enumerate(kinds) if kind == "good"]
    assert [number for number, _ in batch.refused] == [n for n, kind in enumerate(kinds) if kind != "good"]
    assert batch.columns.num_rows == len(batch.numbers)
