"""Bytes are decoded by their byte order mark, or by the first charset in which they are valid."""

import codecs

import pytest

from gristmill.pipelines.readers.pages.charsets import decode

TEXT = "Die Mühle am Fluß"


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        (TEXT.encode(), "", TEXT),
        (TEXT.encode(), "iso-8859-1", TEXT),  # valid UTF-8 wins over a lie
        (codecs.BOM_UTF8 + TEXT.encode(), "windows-1252", TEXT),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "", TEXT),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-8", TEXT),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), "", TEXT),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "", TEXT),
        (b"plain", "utf-16", "plain"),  # no NUL: not UTF-16, though it would decode
        ("plain".encode("utf-16-le"), "utf-16", "plain"),
        ("plain".encode("utf-16-be"), "UTF-16BE", "plain"),
        (TEXT.encode("latin-1"), "ISO-8859-1", TEXT),
        (b"\x80 5", "iso-8859-1", "€ 5"),  # as browsers read it
        ("水車小屋".encode("cp932"), "x-sjis", "水車小屋"),
        ("磨坊".encode("gbk"), "gb2312", "磨坊"),
        ("镕".encode("gbk"), "gb2312", "镕"),  # not in GB 2312
        ("ด".encode("cp874"), "windows-874", "ด"),
        ("방앗간".encode("cp949"), "ks_c_5601-1987", "방앗간"),
        ("мельница".encode("koi8-r"), "koi8-r", "мельница"),
        (b"\xff", "", None),
        (b"\xff", "none", None),
        (b"\xff\\u0041", "unicode-escape", None),
        (b"\xffab-", "punycode", None),
        (b"\xff", "zlib", None),
        (b"\xff", "a\0b", None),
        (b"\xff", "é" * 1000, None),
        (b"", "utf-16", ""),
    ],
)
def test_charsets_of_headers(data, declared, text):
    assert decode(data, declared) == text


@pytest.mark.parametrize(
    "markup",
    ['<meta charset="{}">', "<meta http-equiv=Content-Type content='text/html; charset={}'>", '<?xml encoding="{}"?>'],
)
def test_charsets_of_markup(markup):
    page = (markup.format("windows-1251") + "мельница").encode("cp1251")
    assert decode(page, "", markup=True) == page.decode("cp1251")
    assert decode(page, "koi8-r", markup=True) == page.decode("koi8-r")  # the header wins
    assert decode(page, "") is None
