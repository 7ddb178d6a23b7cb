"""A column that `[input]` names and no file has is one line, before anything is read."""

import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import InputError, TooManyRejects

HALF = {"max_reject_fraction": 0.5}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"text": "txt"},
            r"^\[input\]: text: no column 'txt' in a.jsonl; did you mean 'text'\? its columns: labels, text",
        ),
        ({"html": "page"}, "html: no column 'page' in a.jsonl; its columns: labels, text, url"),
        ({"id": "key"}, "id: no column 'key'"),
        ({"source_column": "uri"}, "source_column: no column 'uri' in a.jsonl; did you mean 'url'"),
        ({"drop": ["label"]}, "drop: no column 'label' in a.jsonl; did you mean 'labels'"),
        ({"text": "labels.body"}, "no column 'labels.body'"),
    ],
)
def test_it_names_those_that_exist(tmp_path, settings, told):
    raw = write(tmp_path / "raw", a__jsonl=lines(*[{"text": "a", "url": "u", "labels": {"x": 1}}] * 200))
    with pytest.raises(InputError, match=told):
        ingest(tmp_path / "work", raw, **HALF | settings)
    assert not list((tmp_path / "work" / "documents").glob("*.parquet"))


@pytest.mark.parametrize(("name", "told"), [("a.csv", "separated by ';', set delimiter"), ("a.jsonl", "did you mean")])
def test_a_header_in_one_piece_names_the_delimiter(tmp_path, name, told):
    raw = write(tmp_path / "raw", **{name: b"id;text\n1;a\n" if ".csv" in name else lines({"id;text": "a"})})
    with pytest.raises(InputError, match=f"no column 'text' in {name}; .*{told}"):
        ingest(tmp_path / "work", raw, **HALF)


def test_dropped_columns_are_looked_for_unless_pages_bring_their_own(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=lines({"text": "a"}), empty__jsonl=b"")
    with pytest.raises(InputError, match="drop: no column 'note'"):
        ingest(tmp_path / "work", raw, drop=["note"], **HALF)
    (raw / "page.html").write_text("<html><body><p>" + "The mill grinds the grain of the village. " * 9)
    assert "a" in ingest(tmp_path / "more", raw, drop=["note"], **HALF).texts


def test_a_column_that_some_files_lack_is_no_error(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=lines({"url": "u"}), b__csv=b"text,n\nb,1\nc,2\n", c__tsv=b"text\nd\n")
    made = ingest(tmp_path / "work", raw, drop=["n"], **HALF)
    assert made.texts == ["b", "c", "d"] and made.places == [("a.jsonl", 1, "no 'text'")]
    assert "n" not in made.table.column_names


def test_files_that_cannot_be_read_tell_no_names(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=b"broken\n" * 300, b__parquet=b"PAR1")
    with pytest.raises(TooManyRejects, match="not JSON"):
        ingest(tmp_path / "work", raw, **HALF)


def test_nothing_is_looked_up_where_all_records_may_be_rejects(tmp_path):
    assert len(ingest(tmp_path / "work", write(tmp_path / "raw", a__jsonl=lines({"t": "a"}))).rejects) == 1
