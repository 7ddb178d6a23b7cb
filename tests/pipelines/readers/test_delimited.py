"""CSV and TSV: a well-formed file reads back equal, a broken quote costs the rows it is in and no other."""

import csv
import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gristmill.pipelines.inputs.inputs import File, InputSettings
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers import delimited
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.delimited import read_csv
from gristmill.pipelines.readers.quoted_rows import Lines

CELL = st.text('ab,;\t\n\r" é', max_size=8)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Return a function that reads bytes as CSV or TSV: the rows, and the rejects."""
    path = tmp_path_factory.mktemp("csv") / "x"

    def run(data: bytes, format="csv", **settings):
        path.write_bytes(data)
        rejects: list[dict] = []
        reading = ReadContext(InputSettings(**settings), rejects.append)
        piece = InputSlice(File(str(path), "x", format, None, len(data), ""))
        batches = [found.columns.to_pylist() for found in read_csv(piece, reading)]
        run.sizes = [len(batch) for batch in batches]
        return [row for batch in batches for row in batch], rejects

    return run


def table(rows, **dialect) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode()


def tables(columns):
    return st.lists(st.lists(CELL, min_size=columns, max_size=columns), max_size=6)


@given(
    rows=st.integers(1, 3).flatmap(tables),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    lineterminator=st.sampled_from(["\n", "\r\n"]),
    delimiter=st.sampled_from(",;\t"),
    quotechar=st.sampled_from("\"'"),
)
def test_a_written_table_reads_back_equal(read, rows, quoting, lineterminator, delimiter, quotechar):
    header = ["text", "b", "c"][: len(rows[0]) if rows else 1]
    if lineterminator == "\n":  # Python 3.11 then leaves a carriage return without quotes
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    dialect = {"quoting": quoting, "lineterminator": lineterminator, "delimiter": delimiter, "quotechar": quotechar}
    got, rejects = read(table([header, *rows], **dialect), delimiter=delimiter, quote=quotechar)
    assert [list(row.values()) for row in got] == rows
    assert not rejects


@pytest.mark.parametrize(("columns", "sizes"), [(1, [9]), (2, [5, 4]), (5, [2, 2, 2, 2, 1]), (20, [1] * 9)])
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_batch_holds_few_fields(read, monkeypatch, columns, sizes, format):
    monkeypatch.setattr(delimited, "BLOCK_FIELDS", 9)
    rows = [[f"{row}-{column}" for column in range(columns)] for row in range(9)]
    head = ["text", *map(str, range(columns - 1))]
    got, rejects = read(table([head, *rows], delimiter="," if format == "csv" else "\t"), format)
    assert ([list(row.values()) for row in got], read.sizes, rejects) == (rows, sizes, [])


@given(rows=st.lists(st.text('ab,;" é\r', min_size=1, max_size=8).map(lambda text: ["x", text]), max_size=6))
def test_without_quoting_quotes_are_text(read, rows):
    lines = ["id\ttext", *("\t".join(row) for row in rows)]
    got, rejects = read("\n".join(lines).encode() + b"\n", "tsv")
    assert [[row["id"], row["text"]] for row in got] == [[a, text.removesuffix("\r")] for a, text in rows]
    assert not rejects


@given(
    rows=st.integers(1, 3).flatmap(tables).filter(bool),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    data=st.data(),
)
def test_a_broken_quote_costs_no_other_row(read, rows, quoting, data):
    """Check that each other row is read with its text, or rejected, if the row of the broken quote is one line."""
    header = ["text", "b", "c"][: len(rows[0])]
    raw = [table([row], quoting=quoting) for row in [header, *rows]]
    hit = data.draw(st.integers(1, len(rows)))
    assume("\n" not in "".join(rows[hit - 1]))
    places = [i for i, byte in enumerate(raw[hit]) if byte == ord('"')]
    assume(places)
    at = data.draw(st.sampled_from(places))
    raw[hit] = raw[hit][:at] + data.draw(st.sampled_from([b"", b'""'])) + raw[hit][at + 1 :]
    got, rejects = read(b"".join(raw))
    texts = [list(row.values()) for row in got]
    offsets = [reject["offset"] for reject in rejects]
    for k, row in enumerate(rows, 1):
        begin = sum(map(len, raw[:k]))
        closes = k == hit + 1 and row[0].startswith("\n")  # its opening quote ends the broken field: sound CSV
        if k != hit and not closes and row not in texts:
            assert any(begin <= offset < begin + len(raw[k]) for offset in offsets), row


@pytest.mark.parametrize(
    ("data", "texts", "reasons"),
    [
        (b'1,"a\n2,b\n3,c', ["b", "c"], ["no closing quote; the quote opens in line 2"]),
        (b'1,"a\n2,b\n3,"c"\n', ["b", "c"], ["text behind a closing quote; the quote opens in line 2"]),
        (b'1,"a\n2,b\n3,", c"\n', ["b", ", c"], ["3 fields where the header has 2; the quote opens in line 2"]),
        (
            b'1,"a\n2,b\n3,"\nc"\n',
            ["b", "\nc"],
            ["the quote that closes it opens a field in line 4; the quote opens in line 2"],
        ),
        (b'1,"a\n\nb"\n2,"c\n', ["a\n\nb"], ["no closing quote; the quote opens in line 5"]),
        (b'1,"a\nb"\n2,"c" d\n3,e', ["a\nb", "e"], ["text behind a closing quote; the quote opens in line 4"]),
        (b'1,"a\nb"\n2\n3,5" disk\n', ["a\nb", '5" disk'], ["1 fields where the header has 2"]),
        (b'1,"a \\"b\\" c"\n2,d', ["d"], ["text behind a closing quote; the quote opens in line 2"]),
        (b'1,say "a" so\n2,nul \0\n', ['say "a" so', "nul \0"], []),
        (b'"1\n0",a\n"2\n0",b c\n3,"d\n', ["a", "b c"], ["no closing quote; the quote opens in line 6"]),
        (b"1,a\rb\r\n2,c", ["c"], ["a carriage return outside quotes"]),
    ],
)
def test_the_line_of_the_opening_quote_is_named(read, data, texts, reasons):
    got, rejects = read(b"id,text\n" + data)
    assert [row["text"] for row in got] == texts
    assert [reject["reason"] for reject in rejects] == [f"not CSV: {reason}" for reason in reasons]


def test_quoting_and_delimiter_are_settings(read):
    data = b"id|text\n1|'a|b'\n2|\"c\"\n"
    assert [row["text"] for row in read(data, delimiter="|", quote="'")[0]] == ["a|b", '"c"']
    got, rejects = read(data, delimiter="|", quote="")
    assert [row["text"] for row in got] == ['"c"']
    assert [reject["reason"] for reject in rejects] == ["not CSV: 3 fields where the header has 2"]
    assert [row["text"] for row in read(b'id\ttext\n1\t"a\n"\n', "tsv", quote='"')[0]] == ["a\n"]


def test_a_quote_left_open_holds_no_more_than_a_record(read):
    data = b'id,text\n1,"a\n' + b"2,bbbbbbbbbb\n" * 100
    got, rejects = read(data, max_record_bytes=100)
    assert len(got) == 100
    assert [reject["reason"] for reject in rejects] == ["not CSV: no closing quote; the quote opens in line 2"]


@pytest.mark.parametrize("line", [b'b","x\n', b'1,""\n', b'1,"x\n', b'"\n'])
def test_no_line_is_read_many_times(read, monkeypatch, line):
    """Check the cost of the worst files: quotes that close and open fields line by line, under a wide header."""
    lines = 0
    fetch = Lines.__next__

    def count(self):
        nonlocal lines
        lines += 1
        return fetch(self)

    monkeypatch.setattr(Lines, "__next__", count)
    read(b",".join(b"c%d" % i for i in range(1000)) + b"\n" + line * 2000, max_record_bytes=10_000)
    assert lines < 30 * 2000
