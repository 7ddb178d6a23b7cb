"""Names of people and street addresses: found only where asked for, whole, and not again once replaced."""

import numpy as np
import pytest

from gristmill.filters.pii.detect import ON_REQUEST, TYPES, detect
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.pii.replacements import ReplacementMethod
from gristmill.pipelines.ragged import Ragged

FOUND = {
    "person": (
        [
            *("Dr. |Anna Weber| said", "I met |John Smith|.", "|Maria de la Cruz| of", "My name is |Zebedee Quux|."),
            *("by |Anna K. Weber|,", "Mrs. |Dalloway|'s party", "Herr Prof. |Müller|", "Name: |Xiu Lem|"),
        ],
        [
            *("John Street", "Mary Hospital", "San Giuseppe Vesuviano", "rue Victor Hugo", "John said"),
            *("the Smith house", "Charles University Prague", "Peter in Paris", "dr. who", "Dr. Street"),
        ],
    ),
    "street_address": (
        [
            *("at |1432 Main St|,", "|221B Baker Street|", "|12 West 23rd Street, Suite 4, New York, NY 10010|"),
            *("|P.O. Box 149|", "in der |Engerthstraße 267|", "|Kirchstraße 6|\n10117", "|Parklaan 200|"),
            *("|4 rue Guyton-de-Morveau|", "|Via Volto San Luca 57|", "|Calle de Alcalá 42|"),
        ],
        ["During 1971", "5 years in Court", "in Main Street", "version 2.1 Street", "Hauptstraße"],
    ),
}


def spans(text, types):
    rows = Ragged.from_strings([text])
    return [(f.type, rows.data[f.start : f.end].tobytes().decode()) for f in detect(rows, types)]


@pytest.mark.parametrize(("type", "text"), [(type, text) for type, (found, _) in FOUND.items() for text in found])
def test_found_whole_and_only_where_asked_for(type, text):
    plain = "é.\n" + text.replace("|", "")
    assert spans(plain, [type]) == [(type, text.split("|")[1])]
    assert spans(plain, TYPES) == []


@pytest.mark.parametrize(("type", "text"), [(type, text) for type, (_, left) in FOUND.items() for text in left])
def test_left_alone(type, text):
    assert spans(text, [type]) == []


@pytest.mark.parametrize("how", ReplacementMethod.__args__)
@pytest.mark.parametrize("type", ON_REQUEST)
def test_replaced_once_for_all(type, how, tmp_path):
    (tmp_path / "key").write_bytes(b"a key for tests only, 32 bytes..")
    step = PiiFilter(types=[type], replacement=how, key_file=str(tmp_path / "key"), max_spans_per_kb=None)
    text = Ragged.from_strings([" ".join(part.replace("|", "") for part in FOUND[type][0])])
    edits = step.edits(text)[0][0]
    new, at = b"", 0
    for edit in edits:
        new, at = new + text.row(0)[at : edit.start] + edit.text, edit.end
    again = Ragged.from_strings([new + text.row(0)[at:]])
    assert step.detect(text) and not step.detect(again)


def test_bytes_that_are_no_text_are_counted():
    rows = Ragged(np.array([0, 3, 22]), np.frombuffer(b"\xff a\xff\xfe Dr. Anna Weber ", np.uint8))
    (found,) = detect(rows, ["person"])
    assert rows.data[found.start : found.end].tobytes() == b"Anna Weber" and found.row == 1
