"""A reader of a user: its records go the way of all others, and its faults end its file."""

import pytest
from corpora import tree
from ingesting import ingest, write

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.pipelines.errors import RecipeError, TooManyRejects

READER = """
def read(path):
    with open(path) as file:
        for line in file:
            yield {"text": line.strip() or None, "length": len(line)}
"""


def read(tmp_path, *records, text=None, **settings):
    """Ingest two files with a reader that yields ``records`` for each, or with the source ``text``."""
    body = "".join(f"    yield {record}\n" for record in records)
    (tmp_path / "mine.py").write_text(text or f"def read(path):\n    nan = float('nan')\n{body}")
    raw = write(tmp_path / "raw", a__odd=b"one\n\nthree\n", b__odd=b"four\n")
    return ingest(tmp_path / "work", raw, reader=f"{tmp_path}/mine.py:read", **settings)


def test_records_become_documents_and_rejects(tmp_path):
    found = read(tmp_path, text=READER)
    assert found.rows[0] == {"id": "a.odd:1", "text": "one", "source": "input", "length": 4}
    assert found.texts == ["one", "three", "four"]
    assert found.places == [("a.odd", 2, "no 'text'")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('{"id": "x"}', "no 'text': there is id"),
        ('{"text": 3}', "text is not a string: 'text' is a int"),
        ('{"text": b"bytes"}', ""),  # str() of them, as of any other object
        ('["text"]', "not an object"),
        ("None", "not an object"),
        ('{"text": "\\ud800"}', "lone surrogate"),
        ('{"text": "a", "deep": eval("[" * 50 + "]" * 50)}', ""),
        ('{"text": "a" * 2000}', "record too long"),
        ('{"text": "a", ("b",): 1}', "not JSON"),
    ],
)
def test_a_record_that_is_no_document_is_a_reject(tmp_path, record, reason):
    found = read(tmp_path, '{"text": "before"}', record, '{"text": "after"}', max_record_bytes=1000)
    assert found.texts[:2] == (["before", "after"] if reason else [found.texts[0], found.texts[1]])
    assert [reject["position"] for reject in found.rejects] == ([2, 2] if reason else [])
    assert all(reject["reason"].startswith(reason) for reject in found.rejects)


def test_values_are_those_of_json(tmp_path):
    found = read(
        tmp_path, '{"text": "a", "nan": nan, "large": 1 << 70, "when": __import__("datetime").date(2024, 2, 1)}'
    )
    assert found.rows[0] | {"id": ""} == {
        **{"id": "", "text": "a", "source": "input"},
        **{"large": str(1 << 70), "nan": None, "when": "2024-02-01"},
    }


def test_nested_text_and_ids_are_found(tmp_path):
    records = '[{"payload": {"body": "a", "n": 1}, "key": path[-5:]}, {"payload": {"body": "b"}}]'
    (tmp_path / "mine.py").write_text(f"def read(path):\n    yield from {records}\n")
    raw = write(tmp_path / "raw", a__odd=b"one")
    found = ingest(tmp_path / "work", raw, reader=f"{tmp_path}/mine.py:read", id="key", text="payload.body")
    assert [(row["id"], row["text"], row["payload"]) for row in found.rows] == [("a.odd", "a", '{"n":1}')]
    assert found.places == [("a.odd", 2, "no 'key'")]


def test_a_fault_ends_the_file_and_counts_by_its_bytes(tmp_path):
    text = "def read(path):\n    yield {'text': 'good'}\n    yield {'text': 1 / path.endswith('b.odd')}\n"
    found = read(tmp_path, text=text)
    assert found.texts == ["good", "good"]
    (fault, odd) = found.rejects
    assert fault["reason"] == "the reader failed: ZeroDivisionError: division by zero (mine.py, line 3)"
    assert (fault["file"], fault["position"], fault["lost_bytes"]) == ("a.odd", 2, 11)
    assert odd["reason"].startswith("text is not a string")
    with pytest.raises(TooManyRejects, match="the reader failed"):
        read(tmp_path, text=text.replace("yield {'text': 'good'}", "pass"), max_reject_fraction=0.4)


@pytest.mark.parametrize("body", ["return None", "return 3", "raise SystemError('x')", "return iter([])"])
def test_a_reader_without_records_rejects_every_file(tmp_path, body):
    found = read(tmp_path, text=f"def read(path):\n    {body}\n")
    reasons = {reject["reason"].partition(":")[0] for reject in found.rejects}
    assert len(found.rejects) == 2 and reasons == {"empty file" if "iter" in body else "the reader failed"}


def test_a_change_of_the_source_reads_again_and_a_move_does_not(tmp_path):
    read(tmp_path, text=READER)
    before = tree(tmp_path / "work", "documents", "rejects")
    (tmp_path / "moved").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "moved" / "mine.py")
    ingest(tmp_path / "work", tmp_path / "raw", reader=f"{tmp_path}/moved/mine.py:read")
    assert tree(tmp_path / "work", "documents", "rejects") == before
    read(tmp_path, text=READER.replace("strip()", "strip().upper()"))
    assert tree(tmp_path / "work", "documents", "rejects") != before


@pytest.mark.parametrize(
    ("reader", "told"),
    [
        ("none.py:read", "cannot read .*none.py: No such file"),
        ("mine.py:rad", "has no 'rad'; did you mean 'read'"),
        ("mine.py:NUMBER", "is no function; expected path -> iterator of dicts"),
        ("mail", r"\[input\]: no reader 'mail'"),
    ],
)
def test_a_reader_that_is_none_is_one_line(tmp_path, reader, told):
    (tmp_path / "mine.py").write_text(READER + "NUMBER = 3\n")
    raw = write(tmp_path / "raw", a__odd=b"one\n")
    with pytest.raises(RecipeError, match=told):
        table = {"input": {"reader": reader, "paths": [str(raw)]}}
        settings = parse_recipe(table, "recipe", folder=tmp_path).input[0]
        ingest(tmp_path / "work", raw, reader=settings.reader)


def test_a_reader_excludes_a_format(tmp_path):
    with pytest.raises(RecipeError, match="reader and format exclude each other"):
        parse_recipe({"input": {"reader": "mine.py:read", "format": "csv"}}, "recipe")
