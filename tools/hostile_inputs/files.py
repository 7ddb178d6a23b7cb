"""Bad files: compressed, Parquet, WARC and HTML bytes that are broken, odd names, links and devices."""

import bz2
import gzip
import lzma
import os
import socket
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import zstandard

from tools.hostile_inputs.raw import Kind, Raw

MB = 1 << 20
LINE = b'{"text": "A text of some words."}\n'


def parquet_bytes(raw: Raw, edit) -> None:
    """Write a Parquet file whose bytes ``edit`` has changed."""
    path = raw.table("bad.parquet", pa.table({"text": [f"Text {i}." for i in range(500)]}), row_group_size=100)
    path.write_bytes(edit(path.read_bytes()))


def flipped(data: bytes, at: float) -> bytes:
    """Return the bytes with 16 of them inverted."""
    begin = int(len(data) * at)
    return data[:begin] + bytes(b ^ 0xFF for b in data[begin : begin + 16]) + data[begin + 16 :]


PARQUET = {
    "Parquet truncated": lambda data: data[: len(data) // 2],
    "Parquet damaged page": lambda data: flipped(data, 0.2),
    "Parquet damaged footer": lambda data: flipped(data, 0.95),
    "Parquet footer of 2 GB": lambda data: data[:-8] + (2**31 - 1).to_bytes(4, "little") + data[-4:],
    "Parquet without magic": lambda data: b"XXXX" + data[4:],
    "Parquet of zeros": lambda data: bytes(len(data)),
}


def zstd_of(block: bytes, times: int, **options) -> bytes:
    """Return many copies of a block as one zstd frame."""
    compressor = zstandard.ZstdCompressor(**options).compressobj()
    return b"".join([*(compressor.compress(block) for _ in range(times)), compressor.flush()])


def long_window() -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)


COMPRESSED = {
    "gzip truncated": ("bad.jsonl.gz", lambda: gzip.compress(LINE * 5000)[:-300]),
    "gzip damaged": ("bad.jsonl.gz", lambda: flipped(gzip.compress(os.urandom(9000)), 0.5)),
    "gzip with garbage behind": ("bad.jsonl.gz", lambda: gzip.compress(LINE * 50) + b"garbage" * 9),
    "gzip that is none": ("bad.jsonl.gz", lambda: LINE * 50),
    "gzip in gzip": ("bad.jsonl.gz", lambda: gzip.compress(gzip.compress(LINE * 50))),
    "gzip empty": ("bad.jsonl.gz", lambda: b""),
    "gzip line of 1 GB": ("bad.jsonl.gz", lambda: b"".join([gzip.compress(b"a" * (64 * MB))] * 16)),
    "zstd truncated": ("bad.jsonl.zst", lambda: zstandard.compress(LINE * 5000 + os.urandom(999))[:-300]),
    "zstd damaged": ("bad.jsonl.zst", lambda: flipped(zstandard.compress(os.urandom(9000)), 0.5)),
    "zstd of a long window": ("bad.jsonl.zst", lambda: zstd_of(LINE, 50, compression_params=long_window())),
    "zstd of 2 GB of newlines": ("bad.jsonl.zst", lambda: zstd_of(b"\n" * (16 * MB), 128)),
    "zstd of 2 GB of blank lines as text": ("bad.csv.zst", lambda: b"" + zstd_of(b"text\n" + b"\n" * (16 * MB), 128)),
    "zstd of 2 GB of short lines": ("bad.txt.zst", lambda: zstd_of(b"ab\n" * (5 * MB), 128)),
    "zstd line of 1 GB": ("bad.jsonl.zst", lambda: zstd_of(b"a" * (16 * MB), 64)),
    "zstd WARC of 1 GB of newlines": ("bad.warc.zst", lambda: zstd_of(b"\n" * (16 * MB), 64)),
    "bzip2 damaged": ("bad.jsonl.bz2", lambda: flipped(bz2.compress(os.urandom(9000)), 0.5)),
    "xz truncated": ("bad.jsonl.xz", lambda: lzma.compress(LINE * 5000)[:-40]),
    "two compressions": ("bad.jsonl.gz.zst", lambda: zstandard.compress(gzip.compress(LINE * 50))),
}


def compressed(raw: Raw, file: str, data: Callable[[], bytes]) -> None:
    """Write a compressed file."""
    raw.write(file, data())


def record(body: bytes, mime: str = "text/html", length: int | None = None, head: str = "") -> bytes:
    """Return a WARC response."""
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n{head}\r\n".encode() + body
    size = len(http) if length is None else length
    warc = "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.b/\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
    warc += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {size}\r\n\r\n"
    return warc.encode() + http + b"\r\n\r\n"


PAGE = (
    b"<html><body><article><p>" + b"The mill grinds grain into flour for bread. " * 20 + b"</p></article></body></html>"
)
WARC = {
    "WARC truncated": record(PAGE)[:-300],
    "WARC of a negative length": record(PAGE, length=-5),
    "WARC of a huge length": record(PAGE, length=2**62),
    "WARC of a length too short": record(PAGE, length=50) + record(PAGE),
    "WARC that is none": b"garbage\r\n" * 500,
    "WARC of broken chunks": record(b"ZZZ\r\n" + PAGE, head="Transfer-Encoding: chunked\r\n"),
    "WARC of broken gzip": record(b"\x1f\x8bgarbage", head="Content-Encoding: gzip\r\n"),
    "WARC gzip bomb in a page": record(gzip.compress(b"<p>" * (64 * MB)), head="Content-Encoding: gzip\r\n"),
    "WARC of an unknown charset": record(PAGE, "text/html; charset=klingon"),
    "WARC of an unknown coding": record(PAGE, head="Content-Encoding: br\r\n"),
    "WARC header of 5 MB": record(PAGE, head="X-Long: " + "x" * (5 * MB) + "\r\n"),
}
HTML = {
    "HTML nested 100,000 deep": b"<div>" * 100_000 + b"text" + b"</div>" * 100_000,
    "HTML of 300,000 open tags": b"<b><i><a href=x>" * 100_000,
    "HTML comment left open": PAGE + b"<!--" * 100_000,
    "HTML attribute of 5 MB": b"<p title='" + b"x" * (5 * MB) + b"'>text</p>",
    "HTML of entities": b"<p>" + b"&amp;&#x10FFFF;&#0;&bogus;" * 100_000 + b"</p>",
    "HTML table of 100,000 cells": b"<table><tr>" + b"<td>a" * 100_000 + b"</table>",
    "HTML charset that lies": b'<meta charset="utf-16">' + PAGE,
    "HTML of NULs": b"\0" * 100_000,
    "HTML of 9 MB": b"<p>text of some words</p>\n" * (9 * MB // 25),
}


def odd_name(raw: Raw, name: str | bytes) -> None:
    """Write good documents to a file with an odd name."""
    raw.write(name, raw.line() + raw.line())


def fifo(raw: Raw) -> None:
    """Make a named pipe that nobody writes to."""
    os.mkfifo(raw.path("pipe.jsonl"))


def unix_socket(raw: Raw) -> None:
    """Bind a socket in the folder."""
    before = os.getcwd()
    os.chdir(raw.folder)  # a socket's path has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.jsonl")
    os.chdir(before)


def link(raw: Raw, target: str, name: str = "link.jsonl") -> None:
    """Make a symbolic link."""
    raw.path(name).symlink_to(target)


NAMES: dict[str, str | bytes] = {
    "name that is no UTF-8": b"bad-\xff\xfe.jsonl",
    "name with a line break": "bad\nname.jsonl",
    "name with escape sequences": "bad\x1b[31m\x1b]0;x\x07.jsonl",
    "name of a pattern": "[a]*?{b}.jsonl",
    "name with spaces and quotes": " ' \" $(x) ;.jsonl",
    "name of 255 bytes": "n" * 249 + ".jsonl",
    "name with a percent and a hash": "50%#a=b&c.jsonl",
    "name in capitals": "BAD.JSONL",
    "folder named as a file": "folder.jsonl/inner.jsonl",
    "forty folders deep": "/".join("d" * 40) + "/deep.jsonl",
}

KINDS: dict[str, Kind] = {
    **{name: Kind(partial(parquet_bytes, edit=edit)) for name, edit in PARQUET.items()},
    **{name: Kind(partial(compressed, file=file, data=data)) for name, (file, data) in COMPRESSED.items()},
    **{name: Kind(partial(Raw.write, name="bad.warc", data=data)) for name, data in WARC.items()},
    **{name: Kind(partial(Raw.write, name="bad.html", data=data)) for name, data in HTML.items()},
    **{name: Kind(partial(odd_name, name=file)) for name, file in NAMES.items()},
    "empty file": Kind(partial(Raw.write, name="bad.jsonl", data=b"")),
    "3,000 empty files": Kind(lambda raw: [raw.write(f"{i}.txt", b"") for i in range(3000)]),
    "unknown format": Kind(partial(Raw.write, name="bad.bin", data=b"\0\1\2")),
    "link to nothing": Kind(partial(link, target="nowhere.jsonl")),
    "link to itself": Kind(partial(link, target="link.jsonl")),
    "link to the folder above": Kind(partial(link, target="..", name="loop/up")),
    "link to the folder itself": Kind(partial(link, target=".", name="again")),
    "named pipe": Kind(fifo),
    "socket": Kind(unix_socket),
}
