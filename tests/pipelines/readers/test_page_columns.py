"""Pages of HTML in a column: their main text, title and date, as of HTML files; broken ones become rejects."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.settings import read_settings

BODY = "The mill grinds the grain that the farmers bring on carts every week of the year, and the flour is good."
PAGE = f"""<html><head><title>Mühle</title><meta name="date" content="2021-03-04"></head>
<body><nav><a href="/">Home</a></nav><article><h1>Mühle</h1><p>{BODY}</p><p>{BODY[::-1]}</p></article></body></html>"""


def test_a_column_has_the_text_of_a_file(tmp_path):
    row = {"page": PAGE, "url": "https://mill.org/a", "lang": "en"}
    column = ingest(tmp_path / "a", write(tmp_path / "jsonl", x__jsonl=lines(row)), html="page").rows
    file = ingest(tmp_path / "b", write(tmp_path / "html", x__html=PAGE.encode())).rows
    assert BODY in column[0]["text"] and column[0]["title"] == "Mühle" and column[0]["date"] == "2021-03-04"
    assert column == [file[0] | {"id": "x.jsonl:1", "url": row["url"], "lang": "en"}]  # the page is not carried


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (f"{BODY} Mehl &amp; Korn, 2 < 3, a<3", f"{BODY} Mehl & Korn, 2 < 3, a<3"),  # no tag
        ("<!-- nothing -->", ""),
    ],
)
def test_a_page_without_a_tag_is_its_own_text(tmp_path, page, text):
    made = ingest(tmp_path / "a", write(tmp_path / "jsonl", x__jsonl=lines({"page": page})), html="page")
    assert made.texts == [text] == ingest(tmp_path / "b", write(tmp_path / "html", x__html=page.encode())).texts


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv", "own"])
def test_every_format_with_columns_may_hold_pages(tmp_path, format):
    rows = [{"page": PAGE, "url": "u"}, {"page": "", "url": "u"}]
    settings = {"html": "page"}
    if format == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        data = buffer.getvalue()
    elif format == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, ["page", "url"])
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
    else:
        data = lines(*rows)
    if format == "own":
        read = (
            "import json\ndef read(path):\n    with open(path) as lines:\n        yield from map(json.loads, lines)\n"
        )
        (tmp_path / "mine.py").write_text(read)
        settings["reader"] = f"{tmp_path}/mine.py:read"
    made = ingest(tmp_path / "work", write(tmp_path / "raw", **{f"x__{format}": data}), **settings)
    assert [BODY in text for text in made.texts] == [True]
    assert made.places == [(f"x.{format}", 2, "empty page")]


def test_bytes_are_decoded_by_their_markup(tmp_path):
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-1">').encode("latin-1")
    (tmp_path / "raw").mkdir()
    pq.write_table(pa.table({"page": pa.array([page, b"\xff", None], pa.binary())}), tmp_path / "raw" / "x.parquet")
    made = ingest(tmp_path / "work", tmp_path / "raw", html="page")
    assert made.rows[0]["title"] == "Mühle"
    assert ("x.parquet", 3, "no 'page'") in made.places


def test_broken_pages_are_rejects_with_their_place(tmp_path):
    rows = [{"page": PAGE}, {"page": 3}, {"page": None}, {"url": "u"}, {"page": "  "}, {"page": PAGE + "x" * 9000}]
    raw = write(tmp_path / "raw", x__jsonl=lines(*rows) + b"{")
    made = ingest(tmp_path / "work", raw, html="page", max_page_bytes=5000)
    assert [reject["reason"] for reject in sorted(made.rejects, key=lambda reject: reject["position"])] == [
        "text is not a string: 'page' is a int",
        "no 'page': it is null",
        "no 'page': there is url",
        "empty page",
        "record too long",
        "not JSON: unexpected end of data: line 1 column 2 (char 1)",
    ]
    assert sorted(made.places)[0] == ("x.jsonl", 2, "text is not a string") and len(made.texts) == 1


def test_columns_in_the_way_are_carried_under_other_names(tmp_path):
    row = {"page": PAGE, "text": "markdown", "title": "own", "date": 7, "id": "a"}
    (made,) = ingest(
        tmp_path / "work", write(tmp_path / "raw", x__jsonl=lines(row)), html="page", drop=["input.date"]
    ).rows
    assert made | {"text": ""} == {
        **{"id": "a", "text": "", "source": "input", "date": "2021-03-04", "title": "Mühle"},
        **{"input.text": "markdown", "input.title": "own"},
    }


def test_what_a_page_tells_may_be_dropped(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=lines({"page": PAGE, "id": "a"}))
    made = ingest(tmp_path / "work", raw, html="page", drop=["title", "date"], max_reject_fraction=0.5)
    assert made.table.column_names == ["id", "text", "source"]


def test_files_of_pages_beside_tables_of_pages(tmp_path):
    raw = write(tmp_path / "raw", a__html=PAGE.encode(), b__jsonl=lines({"page": PAGE}), c__txt=b"plain")
    made = ingest(tmp_path / "work", raw, html="page")
    assert made.texts == [made.texts[0], made.texts[0], "plain"] and not made.rejects


def test_a_sample_extracts_the_chosen_pages_alone(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=lines(*({"page": PAGE, "n": n} for n in range(60))))
    whole, half = (ingest(tmp_path / str(share), raw, html="page", sample=share) for share in (1.0, 0.5))
    chosen = [row for row in whole.rows if row["id"] in {row["id"] for row in half.rows}]
    assert half.rows == chosen and 15 < len(chosen) < 45


def test_recall_keeps_more_than_precision(tmp_path):
    page = f"<html><body><div><p>{BODY}</p></div><div class='teaser'><p>{BODY.upper()}</p></div></body></html>"
    raw = write(tmp_path / "raw", x__jsonl=lines({"page": page}))
    precise, full = (ingest(tmp_path / f, raw, html="page", favor=f).texts[0] for f in ("precision", "recall"))
    assert BODY.upper() in full and BODY.upper() not in precise


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"html": "page", "format": "html"}, "html names a column, and format 'html' has no columns"),
        ({"html": "page", "drop": ["page"]}, "drop: 'page' is read as text, page, id or source"),
        ({"source": "a", "source_column": "b"}, "source names the source of all documents"),
        ({"reader": "my.py:read", "paths": ["hf:a/b"]}, "reader reads files"),
        ({"language": "English"}, "language"),
        ({"favor": "both"}, "favor"),
    ],
)
def test_settings_that_contradict_each_other(values, told):
    with pytest.raises(RecipeError, match=told):
        read_settings(InputSettings, values, "recipe [input]")
