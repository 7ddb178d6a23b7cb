"""Texts on both sides of each constant of the scanner, of keys, of masks and of context words."""

import pytest

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii import scan, window_kinds
from gristmill.filters.pii.detectors import context
from gristmill.filters.pii.detectors.window import Window
from gristmill.filters.pii.filter import MAX_KEY, MIN_KEY, PiiFilter, read_key
from gristmill.filters.pii.replacements import VISIBLE, mask
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 30


def kinds(text):
    return scan.scan(Ragged.from_strings([text])).kind.tolist()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LETTERS[: window_kinds.MIN_TOKEN - 2] + "1", []),
        (LETTERS[: window_kinds.MIN_TOKEN - 1] + "1", [window_kinds.TOKEN]),
        (LETTERS[: window_kinds.MAX_TOKEN - 1] + "1", [window_kinds.TOKEN]),
        (LETTERS[: window_kinds.MAX_TOKEN] + "1", []),
        ("A" + "1" * (window_kinds.MIN_ID_DIGITS - 1), []),
        ("A" + "1" * window_kinds.MIN_ID_DIGITS, [window_kinds.ID]),
        (LETTERS[: window_kinds.MAX_ID - window_kinds.MIN_ID_DIGITS] + "12345", [window_kinds.ID]),
        ("1" * (window_kinds.MIN_DIGITS - 1), []),
        ("1" * window_kinds.MIN_DIGITS, [window_kinds.NUMBER]),
        ("1" * window_kinds.MAX_RUN, [window_kinds.NUMBER]),
        ("1" * (window_kinds.MAX_RUN + 1), []),
        ("1234 " * (window_kinds.MAX_DIGITS // 4), [window_kinds.NUMBER]),
        ("1234 " * (window_kinds.MAX_DIGITS // 4 - 1) + "12345", []),
        ("12 34 5", []),
        ("12 34 56", [window_kinds.NUMBER]),
        ("1.2.3", []),
        ("1.2.3.4", [window_kinds.DOTTED]),
        ("1.2.3.456", [window_kinds.DOTTED]),
        ("1.2.3.4567", [window_kinds.NUMBER]),
        ("1.2.3.4.5", []),
        ("0910.58776", [window_kinds.NUMBER]),
        ("0910.5877", []),
        ("0010.58776", []),
        ("208-555-7234x1", [window_kinds.NUMBER]),
        ("208-555-7234ext1", [window_kinds.NUMBER]),
        ("208-555-7234exit1", [window_kinds.ID]),
        ("2085557-Landline", [window_kinds.JOINED]),
        ("208555-Landlines", [window_kinds.TOKEN]),
        ("Landline-2085557", [window_kinds.JOINED]),
        ("Landline2085557-", [window_kinds.TOKEN]),
        ("2085557x12", [window_kinds.JOINED]),
        ("2085557y12", [window_kinds.ID]),
        ("GB29 NWBK", [window_kinds.GROUPED]),
        ("GB2 NWBK", []),
        ("15 February 1899", []),
        ("15 February 1900", [window_kinds.DATE]),
        ("15 February 2029", [window_kinds.DATE]),
        ("15 February 2030", []),
        ("15 " + "a" * (window_kinds.MONTH - 2) + " 1998", [window_kinds.DATE]),
        ("15 " + "a" * (window_kinds.MONTH - 1) + " 1998", []),
        (b"1998\xe5\xb9", []),
        ("1998年", [window_kinds.DATE]),
        ("1:2:3:4:5", []),
        ("1:2:3:4:5:6", [window_kinds.COLONS]),
        ("1::2", [window_kinds.COLONS]),
    ],
)
def test_windows_on_both_sides_of_each_line(text, found):
    assert kinds(text) == found


def test_a_grouped_window_ends_after_48_bytes():
    windows = scan.scan(Ragged.from_strings(["GB29 " + "NWBK " * 20]))
    assert (windows.end - windows.start).tolist()[0] == window_kinds.GROUPED_BYTES


@pytest.mark.parametrize(("size", "spans_per_kb"), [(999, 1.0), (1000, 1.0), (1001, 1000 / 1001), (2000, 0.5)])
def test_a_document_counts_as_one_kilobyte_at_least(size, spans_per_kb):
    text = "jane@mill.org ".ljust(size)
    assert PiiFilter().rewrite(Batch(Ragged.from_strings([text])))[1]["spans_per_kb"].to_list() == [spans_per_kb]


@pytest.mark.parametrize("size", [MIN_KEY - 1, MIN_KEY, MAX_KEY, MAX_KEY + 1])
def test_keys_have_16_to_64_bytes(tmp_path, size):
    (tmp_path / "key").write_bytes(b"k" * size)
    if MIN_KEY <= size <= MAX_KEY:
        assert len(read_key(str(tmp_path / "key"))) == size
    else:
        with pytest.raises(InputError, match=f"{size} bytes; expected 16 to 64"):
            read_key(str(tmp_path / "key"))


@pytest.mark.parametrize(
    ("value", "masked"), [("", ""), ("1", "*"), ("12", "**"), ("123", "*23"), ("12-34", "**-34"), ("1-23", "*-23")]
)
def test_a_mask_keeps_the_last_two(value, masked):
    assert VISIBLE == 2 and mask("us_ssn", value) == masked


@pytest.mark.parametrize("between", [context.MAX_WORDS - 2, context.MAX_WORDS - 1, context.MAX_WORDS])
def test_the_seventh_word_before_a_window_votes_and_the_eighth_does_not(between):
    data = ("phone " + "x " * between + "5550123").encode()
    window = Window(data, len(data) - 7, len(data), 0, len(data), "en")
    assert context.context_vote("phone", window) == (between < context.MAX_WORDS)
