"""JSON in every layout: the same documents, exact numbers, and bad values rejected alone."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, lines, write

from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.inputs.work_units import plan_work_units
from gristmill.pipelines.readers.json_scan import split_values, watch_digits
from gristmill.pipelines.readers.streaming import CorruptStream

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('a"\\{}[],\n é', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\{}[],', max_size=3), inner, max_size=3),
    max_leaves=6,
)
LAYOUTS = {
    "array": json.dumps,
    "pretty array": lambda values: json.dumps(values, indent=2),
    "lines of an array": lambda values: "[\n" + ",\n".join(map(json.dumps, values)) + "\n]\n",
    "end to end": lambda values: " ".join(map(json.dumps, values)),
    "pretty": lambda values: "\n".join(json.dumps(value, indent=1) for value in values),
}


def blocks_of(data: bytes, size: int):
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(values=st.lists(VALUE, max_size=5), layout=st.sampled_from([*LAYOUTS]), size=st.integers(1, 40))
def test_values_are_cut_in_any_layout_and_in_any_blocks(values, layout, size):
    if "array" not in layout:  # an array between other values is read as its elements
        values = [{"a": value} for value in values]
    data = LAYOUTS[layout](values).encode()
    found = list(split_values(blocks_of(data, size), 1000, pytest.fail))
    assert [json.loads(value) for batch in found for value in batch.records] == values
    for batch in found:
        for start, value in zip(batch.starts.tolist(), batch.records, strict=True):
            assert data[start : start + len(value)] == value


@given(sizes=st.lists(st.integers(0, 30), max_size=8), block=st.integers(1, 50))
def test_values_that_are_too_long_are_told_and_never_held(sizes, block):
    values = [b'{"a":"%s"}' % (b"x" * size) for size in sizes]
    data = b"[" + b", ".join(values) + b"]"
    long: list[tuple] = []
    good = {}
    for batch in split_values(blocks_of(data, block), 20, lambda *place: long.append(place)):
        good |= dict(enumerate(batch.records, batch.first))
    assert good == {n: value for n, value in enumerate(values, 1) if len(value) <= 20}
    offsets = {n: 1 + sum(len(value) + 2 for value in values[: n - 1]) for n in range(1, len(values) + 1)}
    assert [(n, at) for n, at, _ in long] == [(n, offsets[n]) for n in offsets if n not in good]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'[{"a": 1}, {"a": 2}', "array"),
        (b'[{"a": 1}, {"a": ', "value"),
        (b'{\n"a": 1}\n{\n"a": [1', "value"),
        (b"[", "array"),
    ],
)
def test_a_file_that_ends_too_early_says_so(data, found):
    with pytest.raises(CorruptStream, match=f"the last {found} is not closed"):
        list(split_values([data], 1000, pytest.fail))


@pytest.mark.parametrize(
    ("data", "texts", "positions"),
    [
        (b'[{"text": "a"},\n{"text": "b},\n{"text": "c"}]', ["a", "c"], [2]),
        (b'[{"text": "a"},\n{"text": b},\n3,\n{"text": "c"}]', ["a", "c"], [2, 3]),
        (b'[\n {\n  "text": "a\n },\n {\n  "text": "b"\n }\n]', ["b"], [1]),
        (b'[{"text": "a"}}, {"text": "b"}]', ["a", "b"], [2]),
        (b'{\n "text": "a"\n}\n{\n "text": 1\n}\n', ["a"], [2]),
        (b' \n [ {"text": "a"} ] \n', ["a"], []),
        (b'[{"text": "a"}]\n[{"text": "b"}]\n{"text": "c"}', ["a", "b", "c"], []),
        (b"[]", [], [1]),
        (b'[{"text": "a"}, {"text": "b"}', ["a", "b"], [3]),
    ],
)
def test_a_bad_value_is_rejected_alone(tmp_path, data, texts, positions):
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__json=data))
    assert made.texts == texts
    assert [reject["position"] for reject in made.rejects] == positions


def test_an_array_is_numbered_and_never_cut_by_lines(tmp_path):
    rows = [{"text": f"Text {i}."} for i in range(100)]
    raw = write(tmp_path / "raw", a__json=LAYOUTS["lines of an array"](rows).encode(), b__json=lines(*rows))
    units, _ = plan_work_units(find_files(InputSettings(paths=[str(raw)])), 500)
    assert [piece.file.name for (piece,) in units].count("a.json") == 1
    made = ingest(tmp_path / "work", raw, work_unit_bytes=500)
    assert [row["id"] for row in made.rows] == [f"{name}.json:{n}" for name in "ab" for n in range(1, 101)]
    assert made.texts == [row["text"] for row in rows] * 2


def test_objects_end_to_end_in_a_line_are_read(tmp_path):
    raw = write(
        tmp_path / "raw", x__jsonl=b'{"id": "a", "text": "A"}{"id": "b", "text": "B"} {"text": 3}\n{"text": "C"}\n'
    )
    made = ingest(tmp_path / "work", raw)
    assert [(row["id"], row["text"]) for row in made.rows] == [("a", "A"), ("b", "B"), ("x.jsonl:2", "C")]
    assert made.places == [("x.jsonl", 1, "text is not a string")]


def test_nan_and_infinity_are_null(tmp_path):
    row = '{"id": "%s", "text": "NaN, Infinity", "x": %s, "y": [%s, {"z": %s}]}\n'
    data = "".join(row % (n, n, n, n) for n in ("NaN", "Infinity", "-Infinity", "1e999", "1.5"))
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__jsonl=data.encode()))
    assert set(made.texts) == {"NaN, Infinity"}
    assert [row["x"] for row in made.rows] == [None] * 4 + [1.5]
    assert [row["y"] for row in made.rows] == ['[null,{"z":null}]'] * 4 + ['[1.5,{"z":1.5}]']


@pytest.mark.parametrize("layout", ["lines", "array"])
def test_integers_keep_all_digits(tmp_path, layout):
    numbers = [0, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 2**64, 10**30 + 7, -(10**30) - 7]
    rows = [{"id": n, "text": f"n {n}", "m": {"n": [n]}, "n": n} for n in numbers]
    data = "\n".join(map(json.dumps, rows)) if layout == "lines" else json.dumps(rows)
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__json=data.encode()))
    assert [row["id"] for row in made.rows] == [str(n) for n in numbers]
    assert [row["n"] for row in made.rows] == [str(n) for n in numbers]
    assert [row["m"] for row in made.rows] == [f'{{"n":[{n}]}}' for n in numbers]


@given(parts=st.lists(st.text("0123456789", min_size=1, max_size=30), max_size=6), size=st.integers(1, 70))
def test_every_long_integer_is_found(parts, size):
    data = ",".join(parts).encode()
    places: list[int] = []
    assert b"".join(watch_digits(blocks_of(data, size), places)) == data
    runs = [match.span() for match in re.finditer(rb"\d+", data)]
    found = {run for place in places for run in runs if run[0] <= place < run[1]}
    assert found == {(begin, end) for begin, end in runs if end - begin >= 19}


def test_text_id_and_source_by_path(tmp_path):
    rows = [
        {"payload": {"body": "A", "meta": {"id": 7, "x": 1}}, "from": {"site": "s"}},
        {"payload.body": "B", "payload": {"body": "not this", "meta": {"id": "b"}}, "from": {"site": "t"}},
        {"payload": "C", "from": {"site": "s"}},
        {"payload": {"body": None, "meta": {"id": "d"}}, "from": {"site": "s"}},
    ]
    raw = write(tmp_path / "raw", x__jsonl=lines(*rows))
    made = ingest(tmp_path / "work", raw, text="payload.body", id="payload.meta.id", source_column="from.site")
    assert [(row["id"], row["text"], row["source"]) for row in made.rows] == [("7", "A", "s"), ("b", "B", "t")]
    assert [row["payload"] for row in made.rows] == ['{"meta":{"x":1}}', '{"body":"not this","meta":{}}']
    assert [reject["reason"] for reject in made.rejects] == [
        "no 'payload.body': there is from, from.site, payload",
        "no 'payload.body': it is null",
    ]
