"""Codings of HTTP bodies are undone, or an error names the one that cannot be."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.readers.pages.html_extractor import NoText
from gristmill.pipelines.readers.pages.http_body import decode_body

PAGE = b"<html><body><p>The mill stands by the river and grinds wheat for the whole village.</p></body></html>"


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def chunked(data: bytes, size: int = 7) -> bytes:
    cuts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(cut), cut) for cut in cuts) + b"0\r\n\r\n"


CODINGS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
ENCODERS = [*CODINGS.items(), ("deflate", raw_deflate)]


@given(data=st.binary(max_size=300), chain=st.lists(st.sampled_from(ENCODERS), max_size=3), in_chunks=st.booleans())
def test_chained_codings_are_undone_in_reverse(data, chain, in_chunks):
    body = data
    for _, encode in chain:
        body = encode(body)
    content, transfer = ", ".join(name.upper() for name, _ in chain), "chunked" if in_chunks else ""
    assert decode_body(chunked(body) if in_chunks else body, transfer, content, 1000) == data


@pytest.mark.parametrize(("coding", "encode"), ENCODERS)
def test_a_truncated_or_damaged_body_is_an_error_that_names_its_coding(coding, encode):
    whole = encode(PAGE * 20)
    for cut in (0, 1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(NoText, match=f"damaged content coding: {coding}: "):
            decode_body(whole[:cut], "", coding, 10_000)
    with pytest.raises(NoText, match=f"damaged content coding: {coding}: "):
        decode_body(b"\xff\x00" + whole[2:], "", coding, 10_000)


@pytest.mark.parametrize(("coding", "encode"), ENCODERS)
def test_the_limit_holds_at_its_exact_byte(coding, encode):
    assert decode_body(encode(PAGE), "", coding, len(PAGE)) == PAGE
    with pytest.raises(NoText, match="record too long"):
        decode_body(encode(PAGE), "", coding, len(PAGE) - 1)
    with pytest.raises(NoText, match="record too long"):
        decode_body(encode(bytes(50_000_000)), "", coding, 1000)


def test_the_limit_holds_without_coding_and_in_chunks():
    assert decode_body(PAGE, "", "identity", len(PAGE)) == decode_body(chunked(PAGE), "chunked", "", len(PAGE)) == PAGE
    for body, transfer in ((PAGE, ""), (chunked(PAGE), "chunked")):
        with pytest.raises(NoText, match="record too long"):
            decode_body(body, transfer, "", len(PAGE) - 1)


@pytest.mark.parametrize("coding", [*CODINGS, "chunked"])
def test_text_stored_decoded_under_the_header_of_a_coding_is_taken_as_it_is(coding):
    transfer, content = ("chunked", "") if coding == "chunked" else ("", coding)
    assert decode_body(PAGE, transfer, content, 1000) == PAGE
    with pytest.raises(NoText, match=f"damaged content coding: {coding}"):
        decode_body(PAGE.replace(b"<p>", b"<p>\x01"), transfer, content, 1000)


def test_an_unknown_coding_is_named():
    with pytest.raises(NoText, match="unknown content coding: 'compress'"):
        decode_body(PAGE, "", "gzip, compress", 1000)


@pytest.mark.parametrize("cut", [b"", b"5", b"5\r\n", b"5\r\nabc", b"5\r\nabcde\r\n", b"x\r\nabc", b"ffffffff1\r\nabc"])
def test_chunks_that_do_not_end_are_an_error(cut):
    with pytest.raises(NoText, match="damaged content coding: chunked"):
        decode_body(cut, "chunked", "", 1000)


def test_bytes_after_a_stream_are_ignored_and_streams_follow_each_other():
    assert decode_body(gzip.compress(b"a") + gzip.compress(b"b") + b"\0tail", "", "gzip", 1000) == b"ab"
    assert decode_body(zstandard.compress(b"a") + zstandard.compress(b"b"), "", "zstd", 1000) == b"ab"
