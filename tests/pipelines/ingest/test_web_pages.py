"""HTML and WARC files -> documents: main text, title, date, and rejects for damaged records."""

import gzip

import pytest
import zstandard
from ingesting import ingest, write

PAGE = """<html><head><title>Of Mills</title><meta charset="{charset}">
<meta property="article:published_time" content="2021-05-06"></head>
<body><nav>Home | About</nav><article><h1>Of Mills</h1><p>{text}</p></article></body></html>"""
SENTENCE = "The miller grinds the grain of the whole village, and the Müller keeps every tenth sack for himself."


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "cp1252"])
def test_html_gives_its_main_text_title_and_date(tmp_path, charset):
    page = PAGE.format(charset=charset, text=SENTENCE * 3).encode(charset)
    (row,) = ingest(tmp_path / "work", write(tmp_path / "raw", x__html=page)).rows
    assert "the Müller keeps" in row["text"]
    assert "About" not in row["text"]
    assert (row["id"], row["title"], row["date"]) == ("x.html:1", "Of Mills", "2021-05-06")


def test_a_page_without_main_text_is_a_document_without_text(tmp_path):
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__html=b"<html></html>"))
    assert made.texts == [""]


def record(kind, url, body, mime="application/http; msgtype=response", record_id="1", length=None):
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{record_id}>\r\n"
    head += "WARC-Date: 2020-01-02T03:04:05Z\r\n"
    head += f"WARC-Target-URI: {url}\r\nContent-Type: {mime}\r\nContent-Length: {length or len(body)}\r\n\r\n"
    return head.encode() + body + b"\r\n\r\n"


def response(body, mime="text/html; charset=iso-8859-1", status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Type: {mime}\r\n\r\n".encode() + body


@pytest.mark.parametrize("suffix", ["warc", "warc.gz", "warc.zst"])
def test_warc_gives_pages_and_texts(tmp_path, suffix):
    page = PAGE.format(charset="", text=SENTENCE * 3).encode("latin-1")
    records = [
        record("request", "http://a/", b"GET / HTTP/1.1\r\n\r\n", record_id="0"),
        record("response", "http://a/", response(page), record_id="1"),
        record("response", "http://b/", response(page, status="404 Not Found"), record_id="2"),
        record("response", "http://c/", response(b"\x89PNG", "image/png"), record_id="3"),
        record("conversion", "http://d/", "Zu Müll\0".encode(), "text/plain", record_id="4"),
        record("conversion", "http://e/", b"\xff", "text/plain", record_id="5"),
        record("response", "http://f/", response(b"plain", "text/plain"), record_id="6"),
    ]
    compress = {"warc": bytes, "warc.gz": gzip.compress, "warc.zst": zstandard.compress}[suffix]
    raw = write(tmp_path / "raw")
    (raw / f"x.{suffix}").write_bytes(b"".join(map(compress, records)))
    made = ingest(tmp_path / "work", raw)
    assert [row["id"] for row in made.rows] == ["<urn:uuid:1>", "<urn:uuid:4>", "<urn:uuid:6>"]
    assert [row["url"] for row in made.rows] == ["http://a/", "http://d/", "http://f/"]
    assert "the Müller keeps" in made.texts[0]
    assert made.texts[1:] == ["Zu Müll\0", "plain"]
    assert made.rows[0]["title"] == "Of Mills"
    assert {row["crawled"] for row in made.rows} == {"2020-01-02T03:04:05Z"}
    assert made.places == [(f"x.{suffix}", 6, "invalid UTF-8")]
    assert made.rejects[0]["offset"] == sum(map(len, records[:5]))


def test_broken_and_cut_warc_records_are_rejected(tmp_path):
    good = record("conversion", "http://a/", b"good", "text/plain")
    lies = record("conversion", "http://b/", b"too long", "text/plain", length=4)
    cut = record("conversion", "http://c/", b"cut", "text/plain", length=500)
    raw = write(
        tmp_path / "raw", a__warc=good + cut, b__warc=good + lies + good, c__warc=good + b"WARC/1.0\r\nnonsense"
    )
    write(raw, d__warc__gz=gzip.compress(good * 1000)[:-20], e__warc=b"\x00garbage" * 1000)
    made = ingest(tmp_path / "work", raw)
    assert made.places[0] == ("a.warc", 2, "cut WARC record")
    assert ("b.warc", 2, "broken WARC") in made.places
    assert ("d.warc.gz", "truncated gz") in [(file, reason) for file, _, reason in made.places]
    assert ("e.warc", 1, "broken WARC") in made.places
    found = [row["id"].partition("~")[0] for row in made.rows]
    assert set(found) == {"<urn:uuid:1>"}
    assert len(found) > 900
    assert set(made.texts) == {"good"}
