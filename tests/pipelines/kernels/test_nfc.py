"""Quick check of NFC: no character that composition changes, joins or moves has the class of a letter."""

import unicodedata2 as unicode

from gristmill.pipelines.kernels.nfc import UNSTABLE, nfc_classes, nfc_unstable
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.canonical import changing_rows

CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def test_classes_are_those_of_unicode_or_unstable():
    classes = nfc_classes().tolist()
    wrong = [code for code in CODES if classes[code] not in (unicode.combining(chr(code)), UNSTABLE)]
    assert wrong == [] and nfc_unstable().sum() == sum(own > 0 for own in classes) < 3000


def test_characters_that_change_alone_or_join_one_before_are_unstable():
    classes = nfc_classes()
    for code in CODES:
        composed = unicode.normalize("NFC", chr(code)) == chr(code)
        assert composed or classes[code] == UNSTABLE
        parts = unicode.decomposition(chr(code)).split()
        if composed and len(parts) == 2 and not parts[0].startswith("<"):
            assert classes[int(parts[1], 16)] == UNSTABLE


def test_marks_in_order_are_canonical_as_they_are():
    texts = ["a\u0334\u0334", "a\u0334\u0316", "a\u0316\u0334"]  # classes 1 and 220
    assert changing_rows(Ragged.from_strings(texts)).tolist() == [2]
