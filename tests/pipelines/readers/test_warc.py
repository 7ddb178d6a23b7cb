"""Records of WARC and ARC files: each is a document, a reject with its reason, or counted as no document."""

import gzip
import io
import struct
from itertools import pairwise

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, write
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from gristmill.pipelines.inputs.inputs import File, InputSettings
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers import read_unit
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.warc_stream import MAX_HEADER_BYTES, BrokenRecord, WarcStream

SENTENCE = "The miller grinds the grain of the whole village, and the Müller keeps every tenth sack for himself. "
PAGE = (
    f"<!DOCTYPE html><html><head><title>Mill</title></head><body><article><p>{SENTENCE * 3}</p></article></body></html>"
)
GOOD = "text of a good record"


def warc(kind: str, body: bytes, url: str = "http://a/", mime: str = "text/plain", length: object = None) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Date: 2020-01-02T03:04:05Z\r\n"
    head += (
        f"WARC-Target-URI: {url}\r\nContent-Type: {mime}\r\nContent-Length: {len(body) if length is None else length}"
    )
    return head.encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def response(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    head = "\r\n".join([status, *headers]).encode() + b"\r\n\r\n"
    return warc("response", head + body, mime="application/http; msgtype=response")


def good(number: int) -> bytes:
    return warc("conversion", f"{GOOD} {number}".encode())


def read(path) -> tuple[list[str], list[dict], ReadContext]:
    """Return texts and rejects of a file, and the context in which it was read."""
    rejects: list[dict] = []
    compression = {"gz": "gz", "zst": "zst"}.get(path.suffix[1:])
    piece = InputSlice(File(str(path), path.name, "warc", compression, path.stat().st_size, ""))
    reading = ReadContext(InputSettings(), rejects.append)
    texts = [text for table in read_unit((piece,), reading) for text in table["text"].to_pylist()]
    return texts, rejects, reading


HTML = "Content-Type: text/html"


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        ([HTML], PAGE.encode(), SENTENCE),
        (["content-TYPE: TEXT/HTML;charset=UTF-8"], PAGE.encode(), SENTENCE),
        (["Content-Type: application/xhtml+xml"], b'<?xml version="1.0" encoding="UTF-8"?>' + PAGE.encode(), SENTENCE),
        ([HTML + "; charset=windows-1252"], PAGE.encode("cp1252"), SENTENCE),
        ([HTML + '; charset="utf-16"; x=y'], PAGE.encode("utf-16"), SENTENCE),
        ([HTML, "Content-Encoding: br"], brotli.compress(PAGE.encode()), SENTENCE),
        ([HTML, "Content-Encoding: zstd"], zstandard.compress(PAGE.encode()), SENTENCE),
        ([HTML, "Content-Encoding: gzip, br"], brotli.compress(gzip.compress(PAGE.encode())), SENTENCE),
        ([HTML, "Transfer-Encoding: chunked"], b"5\r\n<html\r\n1\r\n>\r\n0\r\n\r\n", ""),
        ([HTML, "Content-Encoding: br"], PAGE.encode(), SENTENCE),  # stored decoded
        ([], PAGE.encode(), SENTENCE),
        ([], b"\n <!-- note -->" + PAGE.encode(), SENTENCE),
        ([], b"plain text", "plain text"),
        (["Content-Type: text/plain; charset=iso-8859-1"], "Fluß".encode("latin-1"), "Fluß"),
        (["Content-Type: text/plain"], b"\xef\xbb\xbfmark", "mark"),
        (["Content-Type: text/markdown"], b"# Mill", "# Mill"),
        (["Content-Type: text/markdown", "Content-Encoding: br"], brotli.compress(b"# Mill"), "# Mill"),
        ([" folded: header", HTML, "no colon"], PAGE.encode(), SENTENCE),
    ],
)
def test_documents_of_responses(tmp_path, headers, body, found):
    raw = write(tmp_path, x__warc=good(1) + response(body, *headers) + good(2))
    texts, rejects, _ = read(raw / "x.warc")
    assert not rejects
    assert (texts[0], texts[2]) == (f"{GOOD} 1", f"{GOOD} 2")
    assert texts[1].startswith(found) if found else not texts[1]


@pytest.mark.parametrize("line", ["HTTP/1.1", "GET / HTTP/1.1", ""])
def test_a_response_without_a_status_is_a_reject(tmp_path, line):
    raw = write(tmp_path, x__warc=response(PAGE.encode(), status=line) + good(1))
    texts, (reject,), _ = read(raw / "x.warc")
    assert texts == [f"{GOOD} 1"] and reject["reason"].startswith(f"broken HTTP header: it begins with b'{line}")


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ([HTML, "Content-Encoding: compress"], PAGE.encode(), "unknown content coding: 'compress'"),
        ([HTML, "Content-Encoding: br"], brotli.compress(PAGE.encode())[:-9], "damaged content coding: br"),
        ([HTML, "Content-Encoding: zstd"], zstandard.compress(PAGE.encode())[:-9], "damaged content coding: zstd"),
        ([HTML, "Content-Encoding: gzip"], gzip.compress(PAGE.encode())[:-9], "damaged content coding: gzip"),
        ([HTML, "Content-Encoding: gzip"], b"", "damaged content coding: gzip"),
        ([HTML, "Content-Encoding: br"], brotli.compress(bytes(9 << 20)), "record too long"),
        ([HTML], bytes((8 << 20) + 1), "record too long"),
        ([], b"\x89PNG\r\n\0\0", "no Content-Type: its bytes are neither HTML nor text"),
        ([], b"\xff\xfe\xfd", "invalid UTF-8: no charset is declared"),
        (["Content-Type: text/plain"], "Fluß".encode("latin-1"), "invalid UTF-8: no charset is declared"),
        (["Content-Type: text/plain; charset=koi8-x"], b"\xff", "invalid UTF-8: and invalid 'koi8-x'"),
        ([f"X-Long: {'x' * MAX_HEADER_BYTES}", HTML], PAGE.encode(), "broken HTTP header: it has more than"),
    ],
)
def test_responses_that_are_no_text_are_rejects(tmp_path, headers, body, reason):
    raw = write(tmp_path, x__warc=good(1) + response(body, *headers) + good(2))
    texts, rejects, _ = read(raw / "x.warc")
    assert texts == [f"{GOOD} 1", f"{GOOD} 2"]
    (reject,) = rejects
    assert reject["reason"].startswith(reason)
    assert (reject["position"], reject["offset"], reject["excerpt"]) == (2, len(good(1)), "http://a/")


def test_records_that_are_no_documents_are_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    records = [
        warc("warcinfo", b"software: x"),
        warc("request", b"GET / HTTP/1.1\r\n\r\n"),
        warc("response", b"\0\1", "dns:a.org", "text/dns"),
        response(PAGE.encode(), HTML, status="HTTP/1.1 404 Not Found"),
        response(b"\x89PNG", "Content-Type: image/png"),
        response(b"\x89PNG", "Content-Type: image/png"),
        response(b"{}", "Content-Type: application/json"),
        response(PAGE.encode(), HTML, status="HTTP/2 203"),
    ]
    texts, rejects, reading = read(write(tmp_path, x__warc=b"".join(records)) / "x.warc")
    assert (len(texts), rejects) == (1, [])
    assert reading.no_documents == {
        "warcinfo record": 1,
        "request record": 1,
        "dns record": 1,
        "HTTP status 404": 1,
        "image/png": 2,
        "application/json": 1,
    }
    assert "skipped 7 records that are no documents: 2 image/png, " in caplog.text
    for i in range(1000):
        reading.skipped(f"kind/{i}")
    assert len(reading.no_documents) == 101


DAMAGED = {
    "garbage": b"neither this nor that\r\n" * 3,
    "binary garbage": bytes(range(256)) * 9000,
    "too short": warc("conversion", b"a longer text", length=4),
    "too long": warc("conversion", b"a text", length=12),
    "much too long": warc("conversion", b"a text", length=1 << 50),
    "no length": warc("conversion", b"a text").replace(b"Content-Length: 6\r\n", b""),
    "odd length": warc("conversion", b"a text", length="six"),
    "negative length": warc("conversion", b"a text", length=-6),
    "no kind": warc("conversion", b"a text").replace(b"WARC-Type", b"WARC-Kind"),
    "no http": warc("response", b"a text"),
    "cut http": warc("response", b"HTTP/1.1"),
    "empty response": warc("response", b""),
    "long header": warc("conversion", b"a text").replace(b"\r\n\r\n", b"\r\nX: " + b"x" * (2 << 20) + b"\r\n\r\n", 1),
}


SWALLOW = {"too long", "much too long"}  # the swallowed record is found if it is in the same block


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress])
def test_reading_goes_on_after_a_damaged_record(tmp_path, name, compress):
    suffix = {bytes: "", gzip.compress: ".gz"}.get(compress, ".zst")
    path = tmp_path / f"x.warc{suffix}"
    path.write_bytes(b"".join(map(compress, [good(1), DAMAGED[name], good(2), good(3)])))
    texts, rejects, _ = read(path)
    assert texts == [f"{GOOD} {i}" for i in (1, 2, 3)]
    (reject,) = rejects
    assert reject["position"] == 2
    kinds = {"no http": "broken HTTP", "cut http": "broken HTTP", "empty response": "broken HTTP"}
    assert reject["reason"].startswith((kinds | {"much too long": "cut WARC record"}).get(name, "broken WARC"))
    assert reject["lost_bytes"] <= path.stat().st_size


def test_a_record_without_its_end_loses_it_and_says_how_much(tmp_path):
    cut = warc("response", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + bytes(40 << 20), length=1 << 50)
    texts, rejects, _ = read(write(tmp_path, x__warc=good(1) + cut + good(2)) / "x.warc")
    assert texts == [f"{GOOD} 1"]
    (reject,) = rejects
    assert reject["reason"].startswith("cut WARC record: 1,125,")
    assert reject["lost_bytes"] == len(cut + good(2))


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_damaged_member_costs_one_record(tmp_path, suffix):
    compress = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress}[suffix]
    bodies = ["".join(chr(97 + (i * j * 7919) % 26) for j in range(900)) for i in range(12)]
    members = [compress(warc("conversion", f"{i} {body}".encode())) for i, body in enumerate(bodies)]
    path = tmp_path / f"x.warc.{suffix}"
    for at in range(0, len(members[5]), 7):
        damaged = bytearray(members[5])
        damaged[at] ^= 0x10
        path.write_bytes(b"".join([*members[:5], damaged, *members[6:]]))
        texts, rejects, _ = read(path)
        numbers = [int(text.split()[0]) for text in texts]
        assert [n for n in numbers if n != 5] == [*range(5), *range(6, 12)], at
        assert (5 in numbers) != bool(rejects) or suffix == "gz"  # a gzip header has bytes that nothing depends on
        assert all(text == f"{n} {bodies[n]}" for n, text in zip(numbers, texts, strict=True))
        assert sum(r["lost_bytes"] for r in rejects) <= len(members[5])


def test_a_truncated_file_counts_whole(tmp_path):
    data = b"".join(gzip.compress(good(i)) for i in range(50))[:-20]
    texts, rejects, _ = read(write(tmp_path, x__warc__gz=data) / "x.warc.gz")
    assert texts == [f"{GOOD} {i}" for i in range(49)]
    assert [(r["position"], r["reason"].partition(":")[0], r["lost_bytes"]) for r in rejects] == [
        (50, "truncated gz", len(data))
    ]


@given(cuts=st.lists(st.integers(0, 3000), max_size=12), damaged=st.sampled_from(sorted(DAMAGED.keys() - SWALLOW)))
def test_records_do_not_depend_on_blocks(cuts, damaged):
    data = b"\r\n" + good(1) + response(PAGE.encode(), HTML) + DAMAGED[damaged][:4000] + good(2)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    blocks = [data[a:b] for a, b in pairwise(edges)]
    assert list(walk(blocks)) == list(walk([data]))


def walk(blocks):
    """Yield headers and content of each record, or the reason why there is none."""
    stream = WarcStream(iter(blocks))
    while line := stream.first_line():
        try:
            record = stream.begin_record(line)
            yield record.began, record.headers, stream.read(record, 50)
            stream.end_record(record)
        except BrokenRecord as error:
            yield str(error), error.lost_bytes


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # warcio closes no temporary file
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_warcio_reads_the_same_from_files_that_it_wrote(tmp_path, compressed, version):
    path = tmp_path / ("x.warc.gz" if compressed else "x.warc")
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=compressed, warc_version=version)
        writer.write_record(writer.create_warcinfo_record("x.warc", {"software": "test"}))
        for i in range(20):
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/plain"), ("X", "Mühle")], protocol="HTTP/1.1")
            body = io.BytesIO(f"text {i}\r\n\r\nWARC/1.0\r\n".encode() * i)
            writer.write_record(writer.create_warc_record(f"http://a/{i}", "response", payload=body, http_headers=http))
    with path.open("rb") as file:
        wanted = [
            (r.rec_headers.get_header("WARC-Record-ID"), r.content_stream().read().decode())
            for r in ArchiveIterator(file)
            if r.rec_type == "response"
        ]
    made = ingest(tmp_path / "work", path)
    assert [(row["id"], row["text"]) for row in made.rows] == wanted
    assert not made.rejects


def test_arc_files_are_read(tmp_path):
    def arc(url, mime, body):
        return f"{url} 1.2.3.4 20200102030405 {mime} {len(body)}\n".encode() + body + b"\n"

    version = b"1 0 Archive\nURL IP-address Archive-date Content-type Archive-length\n"
    data = arc("filedesc://x.arc", "text/plain", version)
    data += arc("http://a/", "text/html", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE.encode())
    data += arc("http://b/", "image/png", b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n\0")
    data += arc("http://c/", "text/plain", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nplain")
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__arc__gz=gzip.compress(data)))
    assert [(row["id"], row["url"], row["crawled"]) for row in made.rows] == [
        ("x.arc.gz:2", "http://a/", "20200102030405"),
        ("x.arc.gz:4", "http://c/", "20200102030405"),
    ]
    assert made.texts[1] == "plain"
    assert not made.rejects


def with_dictionary(dictionary: bytes, frames: list[bytes]) -> bytes:
    return b"\x5d\x2a\x4d\x18" + struct.pack("<I", len(dictionary)) + dictionary + b"".join(frames)


@pytest.mark.parametrize("store", [bytes, zstandard.compress])
def test_a_zstd_dictionary_at_the_beginning_is_used(tmp_path, store):
    dictionary = b"".join(good(i) for i in range(40))
    compressor = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
    frames = [compressor.compress(good(i)) for i in range(30)]
    path = tmp_path / "x.warc.zst"
    path.write_bytes(with_dictionary(store(dictionary), frames))
    texts, rejects, _ = read(path)
    assert texts == [f"{GOOD} {i}" for i in range(30)]
    assert not rejects


@pytest.mark.parametrize("dictionary", [b"", zstandard.compress(b"x" * 999)[:-3], zstandard.compress(bytes(17 << 20))])
def test_a_zstd_dictionary_that_is_none_is_one_reject(tmp_path, dictionary):
    path = tmp_path / "x.warc.zst"
    path.write_bytes(with_dictionary(dictionary, [zstandard.compress(good(1))]))
    texts, rejects, _ = read(path)
    assert not texts
    assert [r["reason"].partition(":")[0] for r in rejects] == ["unreadable zst dictionary"]
    assert rejects[0]["lost_bytes"] == path.stat().st_size
