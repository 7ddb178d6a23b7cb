"""Fields of structs as text, id and source: paths such as ``payload.body``."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import ingest, write

from tests.pipelines.readers.test_arrow import read

NESTED = pa.array(
    [
        {"body": "b1", "meta": {"id": 1, "site": "s1"}},
        {"body": None, "meta": None},
        None,
        {"body": "b4", "meta": {"id": 4, "site": None}},
    ]
)


def test_fields_of_structs_are_text_id_and_source(tmp_path):
    raw = write(tmp_path / "raw")
    pq.write_table(pa.table({"payload": NESTED, "n": [1, 2, 3, 4]}), raw / "x.parquet")
    made = ingest(tmp_path / "work", raw, text="payload.body", id="payload.meta.id")
    assert made.rows == [
        {"id": "1", "text": "b1", "source": "input", "n": 1, "payload": {"meta": {"site": "s1"}}},
        {"id": "4", "text": "b4", "source": "input", "n": 4, "payload": {"meta": {"site": None}}},
    ]
    assert [(r["position"], r["reason"]) for r in made.rejects] == [
        (2, "no 'payload.body': it is null"),
        (3, "no 'payload.body': it is null"),
    ]


@pytest.mark.parametrize(
    ("columns", "path", "text", "left"),
    [
        ({"a.b": ["literal"], "a": [{"b": "nested"}]}, "a.b", "literal", {"a": {"b": "nested"}}),
        ({"a": [{"b": "nested"}]}, "a.b", "nested", {}),
        ({"a": [{"b": {"c": "deep"}, "d": 1}]}, "a.b.c", "deep", {"a": {"d": 1}}),
        ({"a": [{"b": {"c": "deep", "d": 1}}]}, "a.b.c", "deep", {"a": {"b": {"d": 1}}}),
        ({"a": ["no struct"]}, "a.b", None, None),
        ({"a": [{"c": "x"}]}, "a.b", None, None),
        ({"b": ["x"]}, "a.b", None, None),
        ({"a": [{"b": "x"}]}, "a", None, None),
        ({"": [{"": "x"}]}, ".", "x", {}),
    ],
)  # fmt: skip
def test_a_path_names_a_column_or_walks_structs(columns, path, text, left):
    made, rejects = read(pa.table(columns), text=path)
    if text is None:
        assert not made
        assert len(rejects) == 1
        assert path in rejects[0]["reason"]
    else:
        (row,) = made[0].to_pylist()
        assert row == {"id": "x:1", "text": text, "source": "s"} | left


def test_a_slice_of_a_struct_gives_its_own_rows():
    table = pa.table({"payload": NESTED, "n": [1, 2, 3, 4]}).slice(3)
    (made,), _ = read(table, text="payload.body")
    assert made.to_pylist() == [
        {"id": "x:1", "text": "b4", "source": "s", "n": 4, "payload": {"meta": {"id": 4, "site": None}}}
    ]


def test_fields_of_structs_in_a_hugging_face_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"payload": {"body": datasets.Value("large_string")}, "grid": datasets.Array2D((1, 2), "int32")}
    )
    rows = [{"payload": {"body": "b1"}, "grid": [[1, 2]]}, {"payload": {"body": None}, "grid": [[3, 4]]}]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "saved")
    made = ingest(tmp_path / "work", tmp_path / "saved", format="hf", text="payload.body")
    assert made.rows == [{"id": "saved:1", "text": "b1", "source": "saved", "grid": [[1, 2]]}]
    assert [(r["position"], r["reason"]) for r in made.rejects] == [(2, "no 'payload.body': it is null")]
