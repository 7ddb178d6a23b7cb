"""Bad input never ends a run: the good documents are there, the bad ones in rejects with file and position."""

import bz2
import csv
import gzip
import json
import lzma
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from corpora import PEAK_MB
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import GristmillError, InputError, TooManyRejects
from gristmill.pipelines.inputs import records

GOOD = [{"id": "a", "text": "good"}, {"id": "b", "text": "also good"}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"text": "\xff"}', "invalid UTF-8"),
        (b'{"text": "\\ud800"}', "lone surrogate"),
        (b'{"text": "\\ud800 \\udc00"}', "lone surrogate"),
        (b"\x00\x01\x02", "not JSON"),
        (b'{"text": "cut', "not JSON"),
        (b'{"text": "a"} {"text": "b"', "not JSON"),
        (b'{"text": "a"} {"text": "b"}}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["a"]', "not an object"),
        (b"3", "not an object"),
        (b"null", "not an object"),
        (b'{"id": "c"}', "no 'text'"),
        (b'{"text": null}', "no 'text'"),
        (b'{"text": 3}', "text is not a string"),
        (b'{"text": ["a"]}', "text is not a string"),
        (b'{"text": "%s"}' % (b"x" * 200_000), "record too long"),
    ],
    ids=lambda value: value.decode(errors="replace")[:20] if isinstance(value, bytes) else None,
)
def test_a_bad_line_is_rejected_alone(tmp_path, bad, reason):
    raw = write(tmp_path / "raw", x__jsonl=lines(GOOD[0]) + b"\n" + bad + b"\r\n" + lines(GOOD[1]))
    made = ingest(tmp_path / "work", raw, max_record_bytes=150_000)
    assert made.texts == ["good", "also good"]
    assert made.places == [("x.jsonl", 3, reason)]
    (reject,) = made.rejects
    assert reject["offset"] == len(lines(GOOD[0])) + 1
    assert len(reject["excerpt"]) <= 200
    assert reject["excerpt"].startswith(bad[:5].decode(errors="backslashreplace"))


def test_the_excerpt_of_a_rejected_row_is_its_line(tmp_path):
    raw = write(tmp_path / "raw", x__csv=b"text,n\ngood,1\nb\xffd,23\n")
    (reject,) = ingest(tmp_path / "work", raw).rejects
    assert reject["excerpt"] == "b\\xffd,23"


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\u2028", "\ufeff", "x\r", "é\U0001f600", "\\ud800"])
def test_odd_text_is_text(tmp_path, text):
    raw = write(tmp_path / "raw", x__jsonl=lines({"text": text}))
    made = ingest(tmp_path / "work", raw)
    assert made.texts == [text]
    assert made.rows[0]["id"] == "x.jsonl:1"
    assert not made.rejects


def test_a_file_without_records_is_one_reject(tmp_path):
    raw = write(
        tmp_path / "raw", a__jsonl=b"", b__txt=b"", c__csv=b"text\n", d__html=b"", e__jsonl=b"\n \n", f__warc=b""
    )
    write(raw, g__jsonl__gz=b"", h__jsonl=lines(*GOOD))
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), raw / "i.parquet")
    made = ingest(tmp_path / "work", raw)
    assert made.texts == ["good", "also good"]
    names = ["a.jsonl", "b.txt", "c.csv", "d.html", "e.jsonl", "f.warc", "g.jsonl.gz", "i.parquet"]
    assert made.places == [(name, 1, "empty file") for name in names]


@pytest.mark.parametrize("suffix", ["gz", "zst", "bz2", "xz"])
def test_a_truncated_file_keeps_its_good_records(tmp_path, suffix):
    compress = {"gz": gzip.compress, "zst": zstandard.compress, "xz": lzma.compress}.get(suffix)
    rows = [{"id": str(i), "text": f"{i * i} {i * 7919 % 10007}"} for i in range(30_000)]
    data = compress(lines(*rows)) if compress else bz2.compress(lines(*rows), 1)
    raw = write(tmp_path / "raw", z__jsonl=lines({"id": "z", "text": "after it"}))
    (raw / f"x.jsonl.{suffix}").write_bytes(data[: len(data) * 9 // 10])
    made = ingest(tmp_path / "work", raw)
    texts = made.texts
    assert texts[-1] == "after it"
    assert texts[:-1] == [row["text"] for row in rows[: len(texts) - 1]]
    assert 15_000 < len(texts) < 30_000
    assert made.places == [(f"x.jsonl.{suffix}", len(texts), f"truncated {suffix}")]
    assert made.rejects[0]["offset"] >= len(lines(*rows[: len(texts) - 1]))
    assert made.rejects[0]["lost_bytes"] == len(data) * 9 // 10


def test_a_file_that_is_not_what_its_name_says(tmp_path):
    names = ["a.jsonl.gz", "b.jsonl.zst", "c.parquet", "d.warc.gz", "e.warc", "f.txt.xz", "g.csv.bz2"]
    raw = write(tmp_path / "raw", z__jsonl=lines(*GOOD))
    for name in names:
        (raw / name).write_bytes(b"neither this nor that\n")
    made = ingest(tmp_path / "work", raw)
    assert made.texts == ["good", "also good"]
    assert [(file, position) for file, position, _ in made.places] == [(name, 1) for name in names]
    assert {reason.split()[0] for _, _, reason in made.places} == {"damaged", "broken"}
    assert made.rejects[0]["reason"] == "damaged gz: it begins as other data; if it is not compressed, rename it"


PACKED = {
    "gz": (gzip.compress, "let its name end in .gz"),
    "bz2": (bz2.compress, "let its name end in .bz2"),
    "xz": (lzma.compress, "let its name end in .xz"),
    "zst": (zstandard.compress, "let its name end in .zst"),
    "zip": (lambda data: b"PK\x03\x04" + data, "unpack it"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_compressed_data_under_a_plain_name_names_the_remedy(tmp_path, kind):
    pack, remedy = PACKED[kind]
    made = ingest(tmp_path / "work", write(tmp_path / "raw", a__jsonl=pack(lines(*GOOD)), b__txt=b"BZ is no magic"))
    assert [reject["reason"] for reject in made.rejects] == [
        f"compressed: {kind} data under a name without {kind}; {remedy}"
    ]
    assert made.rejects[0]["lost_bytes"] == made.rejects[0]["file_bytes"] and made.texts == ["BZ is no magic"]


def parquet(path, groups=3, rows=10, **columns):
    table = pa.table({"id": [str(i) for i in range(groups * rows)], "text": ["some text"] * (groups * rows)} | columns)
    pq.write_table(table, path, row_group_size=rows, compression="none", use_dictionary=False)
    return path


def test_a_truncated_parquet_file_is_one_reject(tmp_path):
    raw = write(tmp_path / "raw", z__jsonl=lines(*GOOD))
    path = parquet(raw / "x.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    made = ingest(tmp_path / "work", raw)
    assert made.texts == ["good", "also good"]
    assert made.places == [("x.parquet", 1, "damaged Parquet")]
    assert made.rejects[0]["lost_bytes"] == path.stat().st_size


def test_a_damaged_row_group_costs_the_others_nothing(tmp_path):
    raw = write(tmp_path / "raw")
    path = parquet(raw / "x.parquet")
    column = pq.read_metadata(path).row_group(1).column(1)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 10] = b"\xff" * 10
    path.write_bytes(data)
    made = ingest(tmp_path / "work", raw)
    assert [row["id"] for row in made.rows] == [str(i) for i in [*range(10), *range(20, 30)]]
    assert made.places == [("x.parquet", 11, "damaged Parquet")]
    sizes = [pq.read_metadata(path).row_group(g).total_byte_size for g in range(3)]
    assert made.rejects[0]["lost_bytes"] == len(data) * sizes[1] // sum(sizes)


def test_rows_of_parquet_without_good_text_are_rejected(tmp_path):
    raw = write(tmp_path / "raw")
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    text = pa.concat_arrays([pa.array(["good", None]), broken, pa.array(["x" * 101, "\0"])])
    pq.write_table(pa.table({"text": text}), raw / "x.parquet")
    pq.write_table(pa.table({"text": [1, None]}), raw / "y.parquet")
    pq.write_table(pa.table({"body": ["a", "b"]}), raw / "z.parquet")
    made = ingest(tmp_path / "work", raw, max_record_bytes=100)
    assert made.texts == ["good", "\0"]
    assert made.places == [
        ("x.parquet", 2, "no 'text'"),
        ("x.parquet", 3, "invalid UTF-8"),
        ("x.parquet", 4, "record too long"),
        ("y.parquet", 1, "text is not a string"),
        ("y.parquet", 2, "no 'text'"),
        ("z.parquet", 1, "no 'text'"),
        ("z.parquet", 2, "no 'text'"),
    ]
    assert made.rejects[1]["excerpt"] == '{"text": "\\\\xff\\\\xfe"}'
    assert made.rejects[5]["reason"] == "no 'text': there is body"


def test_the_limit_of_csv_fields_is_set_back(tmp_path):
    """It is the whole process's: other libraries parse CSV too."""
    before = csv.field_size_limit()
    raw = write(tmp_path / "raw", x__csv=b"text\n" + b"y" * 200 + b"\nshort\n")
    ingest(tmp_path / "work", raw, max_record_bytes=100, max_reject_fraction=1)
    assert csv.field_size_limit() == before


def test_bad_rows_of_csv_are_rejected_alone(tmp_path):
    long = b"x" * 200
    data = b'id,text\na,good\n\nb,\xff\nc\nd,e,f\ng,"two\nlines"\nh,' + long + b"\ni,a\rb\nj,good\n"
    data += b'k,"begins\n' + long + b'\nends"\nl,good\nm,"open\nto the end\nn,good'
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__csv=data), max_record_bytes=100)
    assert made.texts == ["good", "two\nlines", "good", "good", "good"]
    assert made.places == [
        ("x.csv", 2, "invalid UTF-8"),
        ("x.csv", 3, "not CSV"),
        ("x.csv", 4, "not CSV"),
        ("x.csv", 6, "record too long"),
        ("x.csv", 7, "not CSV"),
        ("x.csv", 9, "record too long"),
        ("x.csv", 11, "not CSV"),
        ("x.csv", 12, "not CSV"),
    ]
    assert made.rejects[0]["offset"] == data.index(b"b,\xff")
    assert made.rejects[6]["reason"] == "not CSV: no closing quote; the quote opens in line 16"


def test_lines_of_any_ending_are_documents(tmp_path):
    raw = write(tmp_path / "raw", a__txt=b"one\r\ntwo\n\r\nthree\r", b__txt=b"one\r--two")
    assert ingest(tmp_path / "lines", raw / "a.txt", separator="\n").texts == ["one", "two", "three"]
    assert ingest(tmp_path / "work", raw / "b.txt", separator="--").texts == ["one\r", "two"]


def test_plain_text_that_is_no_utf8_or_too_long_is_rejected(tmp_path):
    raw = write(
        tmp_path / "raw", a__txt=b"good", b__txt="é".encode("latin-1"), c__txt=b"x" * 101, d__md=b"\xef\xbb\xbfok"
    )
    made = ingest(tmp_path / "work", raw, max_record_bytes=100)
    assert made.texts == ["good", "ok"]
    assert made.places == [("b.txt", 1, "invalid UTF-8"), ("c.txt", 1, "record too long")]


def test_html_bombs_are_rejected_or_read_in_bounded_time(tmp_path):
    page = b"<html><body><article><p>%s</p></article></body></html>"
    words = b"The quick brown fox jumps over the lazy dog, and then it rests for a while. " * 5
    raw = write(
        tmp_path / "raw",
        deep__html=b"<div>" * 300_000 + b"text" + b"</div>" * 300_000,
        good__html=page % words,
        huge__html=page % (words * 25_000),
        odd__html=page % (words + b"&#xD800;\x00\xff"),
        slow__html=b"<!DOCTYPE html>" + b"<b><i><table>" * 150_000,
    )
    made = ingest(tmp_path / "work", raw, max_page_seconds=5)
    assert "good.html:1" in made.table["id"].to_pylist()
    assert ("huge.html", 1, "record too long") in made.places
    assert made.table.num_rows + len(made.places) == 5
    json.dumps(made.texts).encode()


def test_a_page_that_takes_too_long_is_rejected_and_the_next_is_read(tmp_path, monkeypatch):
    from gristmill.pipelines.readers.pages import html_extractor

    child = tmp_path / "page.py"
    source = html_extractor.WORKER.read_text()
    child.write_text(source.replace("    text =", "    while b'bomb' in page: pass\n    text ="))
    monkeypatch.setattr(html_extractor, "WORKER", child)
    page = b"<html><body><p>%s words that make up a page, which is good enough for us.</p></body></html>"
    raw = write(tmp_path / "raw", a__html=page % b"good", b__html=page % b"bomb", c__html=page % b"more")
    made = ingest(tmp_path / "work", raw, max_page_seconds=1)
    assert [row["id"] for row in made.rows] == ["a.html:1", "c.html:1"]
    assert made.places == [("b.html", 1, "HTML bomb")]


def test_too_many_rejects_stop_the_run_and_say_so(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=lines(*GOOD) + b"{\n[]\n[]\n")
    with pytest.raises(TooManyRejects) as stop:
        ingest(tmp_path / "work", raw, max_reject_fraction=0.59)
    message = str(stop.value)
    assert "3 of 5 records" in message
    assert "2 not an object (x.jsonl:4); 1 not JSON (x.jsonl:3)" in message
    assert str(tmp_path / "work" / "rejects") in message
    assert not (tmp_path / "work" / "documents" / "manifest.json").exists()
    made = ingest(tmp_path / "work", raw, max_reject_fraction=0.6)
    assert made.texts == ["good", "also good"]


@pytest.mark.parametrize(
    ("path", "settings", "message"),
    [
        ("nothing", {}, "no such file or folder"),
        ("*.jsonl", {}, "matches nothing"),
        ("empty", {}, "no file of a known format"),
        ("x.dat", {}, "no file of a known format"),
        ("nothing", {"format": "hf"}, "no dataset"),
        ("nosuch://x", {}, "nosuch"),
    ],
)
def test_no_input_is_one_clear_line(tmp_path, monkeypatch, path, settings, message):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    write(tmp_path, x__dat=b"x")
    path = path if "://" in path else str(tmp_path / path)
    with pytest.raises(InputError, match=message) as stop:
        ingest(tmp_path / "work", path, **settings)
    assert path in str(stop.value)
    assert "\n" not in str(stop.value)


def test_no_path_at_all_is_an_input_error(tmp_path):
    with pytest.raises(GristmillError, match="there is no input"):
        ingest(tmp_path / "work")


@pytest.mark.slow
@pytest.mark.parametrize(("megabytes", "compressed"), [(100, False), (1000, False), (1000, True)])
def test_a_line_of_a_gigabyte_stays_in_the_memory_budget(tmp_path, megabytes, compressed):
    raw = write(tmp_path / "raw")
    start, block = lines(GOOD[0]) + b'{"text": "', b"x" * 1_000_000
    opened = zstandard.open(raw / "x.jsonl.zst", "wb") if compressed else (raw / "x.jsonl").open("wb")
    with opened as file:
        file.write(start)
        for _ in range(megabytes):
            file.write(block)
        file.write(b'"}\n' + lines(GOOD[1]))
    program = (
        "import sys; sys.path[:0] = sys.argv[3:]; from ingesting import Path, ingest\n"
        "made = ingest(Path(sys.argv[1]), sys.argv[2])\n"
        "assert made.texts == ['good', 'also good'], made.texts\n"
        "assert [(p, r) for _, p, r in made.places] == [(2, 'record too long')], made.places\n"
        f"print({PEAK_MB})"
    )
    command = [sys.executable, "-c", program, tmp_path / "work", raw, *[path for path in sys.path if path]]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peak < 600, f"{peak} MB"


@pytest.mark.parametrize("suffix", ["jsonl", "txt", "parquet"])
def test_a_document_of_too_many_lines_is_rejected(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(records, "MAX_LINES", 3)
    few, many = "a\nb\nc\nd", "a\nb\nc\nd\n"
    raw = write(tmp_path / "raw")
    for name, text in (("few", few), ("many", many)):
        path = raw / f"{name}.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.table({"text": [text]}), path)
        else:
            path.write_bytes(lines({"text": text}) if suffix == "jsonl" else text.encode())
    made = ingest(tmp_path / "work", raw, max_reject_fraction=1.0)
    assert made.texts == [few]
    assert made.places == [(f"many.{suffix}", 1, "too many lines")]
