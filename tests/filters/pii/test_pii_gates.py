"""What rules pass over before they look closely: nothing that a close look would take."""

import random
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference.pii_windows import luhn, words_before

from gristmill.filters.pii import detect, scan, window_kinds
from gristmill.filters.pii.detectors import checksums, context, crypto, national_ids, phones, secrets
from gristmill.filters.pii.detectors.window import Window
from gristmill.pipelines.ragged import Ragged

NUMBER_SHAPES = [number.shape for number in national_ids.NUMBERS] + [national_ids.CARD_NUMBER, national_ids.PASSPORT]
shaped = st.one_of(st.from_regex(shape) for shape in NUMBER_SHAPES)
around = st.text("aB_-. 19\n", max_size=4).map(str.encode)
documents = st.lists(st.tuples(around, shaped, around).map(b"".join), max_size=4).map(b"".join)


def places(*documents, kinds=(*detect.RULES,)):
    """The windows of documents as rules see them."""
    rows = Ragged.from_strings([*documents])
    for kind, start, end, row in zip(*(column.tolist() for column in scan.scan(rows)), strict=True):
        if kind in kinds:
            yield Window(rows.data.tobytes(), start, end, *rows.offsets[row : row + 2].tolist())


@given(documents)
@example(b"x AB 123456 C")
@example(b"a.1234567aB")
def test_no_number_of_state_has_a_small_letter_in_its_window(document):
    for place in places(document, kinds=(window_kinds.ID, window_kinds.TOKEN, window_kinds.NUMBER)):
        if national_ids.SMALL.search(place.text):
            assert not [shape for shape in NUMBER_SHAPES if [*place.find(shape)]]


@given(st.one_of(st.from_regex(number.shape, fullmatch=True) for number in national_ids.CHECKED))
def test_no_number_that_is_known_by_its_check_is_shorter(number):
    assert len(number) >= national_ids.MIN_CHECKED


@given(st.lists(st.one_of(around, st.from_regex(national_ids.RESIDENT, fullmatch=True)), max_size=6).map(b"".join))
@example(b"11010519491231002X")
def test_windows_do_not_cut_the_digits_of_residents(document):
    for place in places(document, kinds=(window_kinds.TOKEN, window_kinds.NUMBER)):
        if [*place.find(national_ids.RESIDENT)]:
            assert national_ids.RUN.search(place.text)


names = st.sampled_from([b"api_key", b"TOKEN", b"passwd", b"bearer", b"Authorization: Basic", b"word"])
signs = st.sampled_from([b"=", b":", b"=>", b":=", b'"', b"'", b" ", b"  \n", b"\n", b"]", b"_id", b"x"])


@given(names, st.lists(signs, max_size=4).map(b"".join))
@example(b"token", b' := "\n')
def test_what_stands_before_a_secret_ends_in_one_of_the_signs(name, sign):
    if secrets.ASSIGNED.search(name + sign):
        assert (name + sign).rstrip(secrets.SPACED).lower().endswith(secrets.SIGNS)


@given(st.from_regex(rb"[\w+./~-]{0,50}[ =\"\n]?[\w+./~-]{0,50}"))
def test_what_a_value_has_before_its_window_is_what_the_expression_says(before):
    assert before[len(before.rstrip(secrets.INSIDE)) :] == re.search(rb"[A-Za-z0-9_+/.~-]*\Z", before)[0]


@given(st.one_of(st.from_regex(crypto.ETHER), st.from_regex(crypto.BASE58), st.from_regex(crypto.SEGWIT)))
def test_wallets_have_letters_and_digits_alone(text):
    for shape in (crypto.ETHER, crypto.BASE58, crypto.SEGWIT):
        assert not shape.fullmatch(text) or text.isalnum()


groups = st.lists(st.text(string.digits, min_size=1, max_size=9), min_size=1, max_size=5)


@given(groups, st.sampled_from([" ", "-", ".", "/", ") ", " ("]), st.sampled_from(["", "+", "(", "(+", "0", "00", "1"]))
@example(["138", "0013", "8000"], " ", "")
@example(["212", "736", "5000"], "-", "1-")
@example(["030", "901820"], "/", "")
def test_a_number_nothing_speaks_for_begins_like_one_or_has_as_many_digits(groups, separator, head):
    text = (head + separator.join(groups)).encode()
    digits = len(text.translate(None, phones.NO_DIGITS))
    if digits in phones.NANP_DIGITS or text[:1] in (b"+", b"(", b"0"):
        return
    place = Window(text, 0, len(text), 0, len(text), "de", False, ("US", "CN", "DE", "FR"))
    for alone in (False, True):
        assert phones._phone(place, 0, len(text), 0, alone) == (None, phones.NONE)


pieces = [*"a1:.;)_é", "電話", "\u2028", "\n", "\t", " ", "phone", "phoneNumber", "1. ", "2) ", "x\n", ": \n"]
before = st.lists(st.sampled_from(pieces), max_size=20)


@given(before.map("".join))
@example("1; \nx")
@example("phone:\n\nb:\n c")
def test_words_before_are_those_behind_the_last_break(text):
    data = text.encode() + b"1234567"
    place = Window(data, len(data) - 7, len(data), 0, len(data))
    words = words_before(data[max(0, len(data) - 7 - context.BYTES_BEFORE) : -7])[-context.MAX_WORDS :]
    assert context._words_before(place) == words
    assert any(map(context.is_unspaced, words)) == any(
        ord(word[0]) >= 0x2E80 or 0xE00 <= ord(word[0]) < 0xF00 for word in words
    )


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("1fa2.001c.0002", [window_kinds.COLONS]),
        (" 1fa2.001c.0002", [window_kinds.COLONS]),
        (".1fa2.001c.0002", []),
        ("[*1fa2.001c.0002][.0020.0020.0002]", []),
        ("*1::2 .::9a", [window_kinds.COLONS, window_kinds.COLONS]),
    ],
)
def test_collation_tables_are_no_windows(text, kinds):
    assert scan.scan(Ragged.from_strings([text])).kind.tolist() == kinds


def test_luhn_is_that_of_the_twin():
    draw = random.Random(1)
    for digits in ["", "0", "18", "59", "4539148803436467", *(str(draw.randrange(10**n)) for n in range(1, 20))]:
        assert [checksums.luhn(digits + str(n)) for n in range(10)] == [luhn(digits + str(n)) for n in range(10)]
