"""Normalizers of `tokenizers`, computed by the library itself: its Unicode tables are older or newer than Python's."""

from collections.abc import Callable
from functools import cache

LIBRARY_FORMS = ("hf_nfc", "hf_nfd", "hf_nfkc", "hf_nfkd")


def library_form(name: str) -> Callable[[str], str]:
    """Return the function that brings a document into a Unicode form; a byte that begins no character is U+FFFD."""
    change = _normalizer(name).normalize_str
    return lambda document: change(document.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def library_character(name: str) -> Callable[[str], str]:
    """Return the function that maps one character."""
    return lambda character: _normalizer(name).normalize_str(character)


@cache
def _normalizer(name: str):
    from tokenizers import normalizers

    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    made = {
        "hf_nfc": normalizers.NFC,
        "hf_nfd": normalizers.NFD,
        "hf_nfkc": normalizers.NFKC,
        "hf_nfkd": normalizers.NFKD,
        "hf_lower": normalizers.Lowercase,
        "hf_clean": lambda: normalizers.BertNormalizer(**off | {"clean_text": True}),
        "hf_strip_accents": lambda: normalizers.BertNormalizer(**off | {"strip_accents": True}),
    }
    return made[name]()
