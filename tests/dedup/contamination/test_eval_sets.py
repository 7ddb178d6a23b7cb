import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gristmill.dedup.contamination.eval_sets import Item, find_eval_sets, read_items
from gristmill.pipelines.errors import InputError


def items(*paths, **fields):
    return read_items(find_eval_sets([str(path) for path in paths], "test", None), fields, "test", None)


@pytest.mark.parametrize(
    ("record", "item"),
    [
        ({"question": "Why?"}, Item("quiz", "quiz:0", "Why?")),
        ({"id": 3, "problem": "Why?", "solution": "So."}, Item("quiz", "3", "Why?", ("So.",))),
        ({"text": "all of it", "labels": {"question": "Why?"}}, Item("quiz", "quiz:0", "Why?")),
        ({"question": "Q", "benchmark": "a b\x1b[1m"}, Item("a_b_1m", "quiz:0", "Q")),
        ({"question": "Q", "choices": ["a", "b"], "answer": 1}, Item("quiz", "quiz:0", "Q", ("a", "b"))),  # MMLU
        ({"question": "Q", "choices": {"text": ["a"], "label": ["A"]}}, Item("quiz", "quiz:0", "Q", ("a",))),  # ARC
        ({"question": "Q", "answers": {"text": ["x", "y"]}}, Item("quiz", "quiz:0", "Q", ("x", "y"))),  # SQuAD
        ({"ctx": "A man", "endings": ["runs", "sits"]}, Item("quiz", "quiz:0", "A man", ("runs", "sits"))),
    ],
)
def test_fields_are_found_by_their_usual_names(tmp_path, record, item):
    (tmp_path / "quiz.jsonl").write_text(json.dumps(record))
    assert items(tmp_path / "quiz.jsonl") == [item]


def test_fields_with_other_names_are_named(tmp_path):
    record = {"doc": {"ask": "Why?", "say": ["So."]}, "question": "no", "key": "k"}
    (tmp_path / "quiz.jsonl").write_text(json.dumps(record))
    found = items(tmp_path / "quiz.jsonl", question="doc.ask", answer="doc.say", id="key")
    assert found == [Item("quiz", "k", "Why?", ("So.",))]


def test_formats_give_the_same_items(tmp_path):
    records = [{"id": str(i), "question": f"Why {i}?", "choices": ["a", "b"]} for i in range(3)]
    lines = "\n".join(map(json.dumps, records))
    for name in "abcde":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "quiz.jsonl").write_text(lines)
    (tmp_path / "b" / "quiz.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c" / "quiz.json").write_text(json.dumps(records))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "d" / "quiz.parquet")
    found = [items(tmp_path / name) for name in "abcd"]
    assert all(each == found[0] for each in found) and len(found[0]) == 3


def test_a_dataset_in_a_folder(tmp_path):
    datasets = pytest.importorskip("datasets")
    split = datasets.Dataset.from_list([{"question": "Why?", "answer": "So."}])
    datasets.DatasetDict({"test": split}).save_to_disk(str(tmp_path / "quiz"))
    assert items(f"hf:{tmp_path / 'quiz'}") == [Item("quiz", "quiz:0", "Why?", ("So.",))]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("a.jsonl", '{"q": "Why?"}', "no record has a question"),
        ("a.jsonl", "{", "is not JSON lines"),
        ("a.txt", "Why?", "is text, not an evaluation set: give JSON lines, Parquet, or hf:NAME"),
    ],
)
def test_what_is_no_evaluation_set_is_one_line(tmp_path, name, text, complaint):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=complaint):
        items(tmp_path / name)
