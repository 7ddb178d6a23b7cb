"""Counted documents and rows of the table of language models."""

import hashlib

import pytest

from benchmarks.language_models import documents, is_one_language, score


@pytest.mark.parametrize(
    ("language", "labels", "counts"),
    [
        ("de", {}, True),
        ("de-DE", {"folder_language": "de-DE", "mixed": False, "script_fraction": None}, True),
        ("ja-JP", {"folder_language": "ja-JP", "mixed": True, "script_fraction": 0.6}, False),
        ("en", {"folder_language": "ja-JP", "mixed": False, "script_fraction": 0.019}, True),
        ("en", {"folder_language": "ja-JP", "mixed": False, "script_fraction": 0.02}, False),
        ("en", {"folder_language": "de-DE", "mixed": False, "script_fraction": None}, False),
    ],
)
def test_pages_in_two_languages_do_not_count(language, labels, counts):
    assert is_one_language(language, labels) == counts


def test_each_document_is_in_one_half_and_has_our_label():
    rows = [{"id": str(i), "text": f"text {i}", "language": "deu"} for i in range(20)]
    halves = [list(documents(rows, half, cut=False)) for half in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted((row["text"], "de") for row in rows)
    assert len(halves[1]) == sum(hashlib.sha256(row["id"].encode()).digest()[0] & 1 for row in rows)


def test_a_row_names_models_difference_and_languages():
    texts = [
        "Das Wetter war schön, also gingen wir durch den Park.",
        "Il faisait beau, alors nous avons traversé le parc.",
    ]
    rows = [(texts[0], "de")] * 2 + [(texts[1], "fr")] * 2 + [(texts[1], "de")]
    found = score("x", rows, least=3)  # French has two documents
    assert (found["documents"], found["languages"], found["difference"], found["loses with"]) == (3, 1, 0.0, "")
    assert found["lid.176"] == found["lid.176+py3langid"] == pytest.approx(0.8)
