"""Charsets of pages and texts, by their byte order mark, their HTTP header and their markup."""

import codecs
import re

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, of which it is an extension
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# What browsers read for these names (https://encoding.spec.whatwg.org/#names-and-labels).
BROWSERS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}
LABELS = {
    "windows-874": "cp874",
    "windows-949": "cp949",
    "windows-31j": "cp932",
    "x-sjis": "cp932",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
    "x-mac-cyrillic": "mac_cyrillic",
    "iso-8859-8-i": "iso8859-8",
}
NOT_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"}  # slow, or escapes in other text

MARKUP = re.compile(
    rb"""<\?xml[^>]{0,200}encoding\s*=\s*["']?([\w.:-]+)|<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE
)


def decode(data: bytes, declared: str, markup: bool = False) -> str | None:
    """Decode bytes by their byte order mark, else by the first charset in which they are valid; None if there is none.

    UTF-8 is tried first, then ``declared``, then the charset in the ``markup``. Data with NUL, which is valid UTF-8
    too, is tried as UTF-16 or UTF-32 before that, if it is declared so.
    """
    for bom, name in BOMS.items():
        if data.startswith(bom):
            return _decode(data[len(bom) :], name)
    found = MARKUP.search(data[:4096]) if markup else None
    named = [_codec(declared), _codec((found[1] or found[2]).decode()) if found else ""]
    if named[0].startswith(("utf-16", "utf-32")) and b"\0" in data[:1024]:
        named = [*named, "utf-8"]
    else:
        named = ["utf-8", *named]
    return next((text for name in named if name and (text := _decode(data, name)) is not None), None)


def _codec(label: str) -> str:
    """Return Python's name of a charset; "" if there is no such charset."""
    try:
        name = codecs.lookup(LABELS.get(label.lower(), label)).name
    except (LookupError, ValueError):
        return ""
    return "" if name in NOT_CHARSETS else BROWSERS.get(name, name)


def _decode(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError):  # LookupError: a codec of bytes, such as "zlib"
        return None
