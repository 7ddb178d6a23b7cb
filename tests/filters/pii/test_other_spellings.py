"""E-mail addresses whose "@" is spelled, IBANs in small letters, and digits of other scripts."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii.detect import TYPES, detect
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.pii.plain_digits import PLAIN, ZEROS, plain_copy
from gristmill.filters.pii.replacements import canonical_form
from gristmill.filters.pii.scan import scan
from gristmill.filters.pii.window_kinds import ENTITY_AT, SPELLED_AT
from gristmill.pipelines.ragged import Ragged


def spans(text: str, language: str | None = None):
    rows = Ragged.from_strings([text])
    found = detect(rows, TYPES, np.array([language], object))
    return [(match.type, rows.data[match.start : match.end].tobytes().decode()) for match in found]


@pytest.mark.parametrize(
    "text",
    [
        "|joe&#64;mill.org|",
        "to |joe&#064;mill.org|.",
        "to |joe&#x40;mill.org|, please",
        "|joe&#X0040;mill.org|",
        "&lt;|joe&commat;mill&period;co&period;uk|&gt;",
        "|joe@mill&#46;org|, x",
        "|joe@post.mill&#x2e;org|",
        "|&#106;&#111;&#101;&#64;&#109;ill&#46;org|",
        "&#109;&#97;ilto&#58;|&#106;oe&#64;mill.org|",
        "|m&uuml;ller&#64;m&uuml;hle.de|",
        "M. Quercia <|quercia AT cal DOT enst DOT fr|>",
        "|joe AT Mill DOT COM|",
        "<|joe AT mill POINT com|>",
        "|jane DOT doe AT mill DOT co dot uk|.",
        "<|joe AT mill.org|>",
        "|joe@mill[dot]org|, x",
        "|joe@mill[.]org|",
        "邮箱：|zhang（at）mill.org|",
    ],
)
def test_an_email_address_is_found_whole(text):
    assert spans(text.replace("|", "")) == [("email", text.split("|")[1])]


@pytest.mark.parametrize(
    "text",
    [
        "{&#64;link Mill.org}",
        "joe&#65;mill.org",
        "joe&#640;mill.org",
        "joe&#64mill.org",
        "joe&commas;mill.org",
        "joe &#64;mill.org",
        "joe&#64; mill.org",
        "joe&#64;example.org",
        "joe&#64;mill.notatld",
        "joe@mill&#47;org",
        "joe AT mill.org",  # a sentence may say so
        "JOE AT MILL DOT ORG",
        "LOOK AT THE DOT IN THE MIDDLE",
        "joe at mill dot org",
        "A@[1:3]",
        "a@b[1]",
        "（attention）mill.org",
        "joe ATE mill DOT org",
        "joe AT mill DOT notatld",
        "joe AT example DOT org",
        "AT mill DOT org",
    ],
)
def test_no_email_address_is_left_alone(text):
    assert spans(text) == []


def entity_windows(text: bytes) -> list[int]:
    """The ends of windows, in the plainest way: of entities of "@" between characters, and of "@" before one of "."."""
    entity = rb"&(?:#0*%s|#x0*%s|%s);"
    at, dot = (entity % names for names in ((rb"64", rb"40", rb"commat"), (rb"46", rb"2e", rb"period")))
    long = re.compile(rb"&#[0-9A-Za-z]{7,};")
    text = long.sub(lambda found: found[0].replace(b"#", b"!"), text)  # longer than an entity is read
    before, after = rb"(?<=[0-9A-Za-z.;&#-])", rb"(?=[0-9A-Za-z.&-])"
    return sorted(
        {found.end() for found in re.finditer(before + rb"(?i:%s)" % at + after, text)}
        | {found.start() + 1 for found in re.finditer(rb"@(?=[0-9A-Za-z.-]+(?i:%s))" % dot, text)}
    )


pieces = st.sampled_from(
    [*"a1.-; @&#", "&#64;", "&#x40;", "&commat;", "&#46;", "&period;", "&#x2E;", "&#0000064;", "&#00000064;", "&#65;"]
)


@given(st.lists(pieces, max_size=12).map("".join))
@example("a@b&#46;c")
@example("a&#0000064;b")
def test_windows_of_entities_are_those_of_the_twin(text):
    windows = scan(Ragged.from_strings([text]))
    assert sorted({*windows.end[windows.kind == ENTITY_AT].tolist()}) == entity_windows(text.encode())


@pytest.mark.parametrize(("text", "found"), [("e AT x", 1), ("E AT x", 0), (" AT x", 0), ("e AT ", 0), ("e AT  ", 1)])
def test_windows_of_capitals_stand_between_words(text, found):
    assert (scan(Ragged.from_strings([text])).kind == SPELLED_AT).sum() == found


@pytest.mark.parametrize(
    "value",
    ["joe&#64;mill&#46;org", "joe AT mill DOT org", "joe (at) mill (dot) org", "joe@mill[.]org", "ｊｏｅ＠mill．org"],
)
def test_spellings_of_an_address_have_one_form(value):
    assert canonical_form("email", value) == "joe@mill.org"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("|de89 3704 0044 0532 0130 00|", 1),
        ("to |gb29 nwbk 6016 1331 9268 19| ok", 1),
        ("DE89 3704 0044 0532 0130 01", 0),
        ("de89 3704 0044 0532 0130 01", 0),
        ("dE89 3704 0044 0532 0130 00", 0),
        ("gb29 NWBK 6016 1331 9268 19", 0),
    ],
)
def test_ibans_in_groups_have_one_case(text, found):
    assert spans(text.replace("|", "")) == [("iban", part) for part in text.split("|")[1:2] if found]


@pytest.mark.parametrize(
    ("text", "language", "type"),
    [
        ("هاتف: |٠٥٠-١٢٣٤٥٦٧|", "ar", "phone"),
        ("البطاقة |٤٥٣٩ ١٤٨٨ ٠٣٤٣ ٦٤٦٧|.", "ar", "credit_card"),
        ("عنوان |٩٣.١٨٤.٢١٦.٣٤| x", "ar", "ip"),
        ("تلفن: |۰۲۱-۸۸۷۷۶۶۵۵|", "fa", "phone"),
        ("फोन: |+९१ ९८७६५ ४३२१०|", "hi", "phone"),
        ("ＴＥＬ：|０３－１２３４－５６７８|", "ja", "phone"),
        ("電話 |03－1234－5678|", "ja", "phone"),
        ("電話 |０３ー１２３４ー５６７８|", "ja", "phone"),
        ("カード |４５３９−１４８８−０３４３−６４６７|", "ja", "credit_card"),
        ("電話|（03）1234-5678|", "ja", "phone"),
        ("卡号|４５３９１４８８０３４３６４６７|。", "zh", "credit_card"),
        ("é １２３４ |jane@mill.org| é", "en", "email"),
        ("é |ｊｏｅ＠ｍｉｌｌ．ｏｒｇ|", "ja", "email"),
        ("|joe＠mill.org|", "ja", "email"),
    ],
)
def test_other_digits_are_found_where_they_stand(text, language, type):
    assert spans(text.replace("|", ""), language) == [(type, text.split("|")[1])]


@pytest.mark.parametrize(
    "text", ["ذكرت في ٩٥٤-١٠٠١", "البطاقة ٤٥٣٩ ١٤٨٨ ٠٣٤٣ ٦٤٦٨", "（９５４－１００１）", "１．５６７٪", "٣٫١٤١٥٩٢٦٥"]
)
def test_other_digits_that_are_no_personal_data_are_left_alone(text):
    assert spans(text) == []


digits = st.sampled_from(
    [chr(ord(zero) + n) for zero in ZEROS for n in range(10)] + [*"１２９＠（）－．a1é電पأ乐￠弐‐ "]
)


@given(st.lists(st.text(digits, max_size=9).map(str.encode) | st.binary(max_size=3), max_size=4).map(b"".join))
@example("a１２３".encode())
@example("１２３４".encode())
@example("a1－1".encode())
@example("a1－x1".encode())
@example("（aT".encode())
@example("（a".encode())
@example("＠".encode())
@example(b"1234567890123456" + "９９９９".encode())
@example(b"123456789012345" + "９９９９".encode())
def test_documents_with_such_digits_are_copied(document):
    text = document.decode("utf-8", "surrogateescape")
    foreign = [character for character in text if ord(character) in PLAIN and PLAIN[ord(character)] in range(48, 58)]
    expected = len(foreign) >= 4 or re.search("＠|[0-9][（）－．／][0-9]|[（）－．／][aA][tT]", text) is not None
    assert set(plain_copy(Ragged.from_strings([b"x", document, b"1"]))[1]) == ({1} if expected else set())


def test_masks_and_edits_are_those_of_the_original():
    text = "é هاتف: ٠٥٠-١٢٣٤٥٦٧ é jane@mill.org"
    table, _ = PiiFilter(replacement="mask").rewrite(Batch(Ragged.from_strings(["１２３４ x", text])))
    first, second = table.to_pylist()
    assert (first["row"], text.encode()[first["offset"] :][: first["length"]].decode()) == (1, "٠٥٠-١٢٣٤٥٦٧")
    assert first["replacement"] == "*" * (len("50") + 5) + "67" and second["replacement"] == "j***@m***.org"
