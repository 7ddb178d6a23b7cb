"""False removals per language: how documents are cut, and how rows are counted."""

import pytest

from benchmarks.languages import LEAST, MOST, OTHER, cut_lines, table


@pytest.mark.parametrize(
    ("lines", "pieces"),
    [
        ([MOST], 1),
        ([MOST - 1, LEAST], 2),
        ([MOST - 1, LEAST - 1], 1),  # the rest is too short
        ([LEAST - 1, MOST], 1),  # the beginning is too short
        ([1000] * 12, 2),
        ([1000] * 13, 2),
        ([1000] * 14, 3),
    ],
)
def test_a_text_is_cut_at_lines_into_pieces_of_some_size(lines, pieces):
    text = "".join("x" * (length - 1) + "\n" for length in lines)
    found = cut_lines(text)
    assert len(found) == pieces and "".join(found) == text


def test_small_languages_share_the_last_row():
    rows = [{"language": language} for language in ("de", "de", "en", "en", "yo", "zu")]
    found = table(rows, [[], ["a.b"], [], [], ["a.b", "a.c"], ["a.b"]], least=2)
    assert found.rows() == [("de", 2, 50.0, "a.b 1"), ("en", 2, 0.0, ""), (OTHER, 2, 100.0, "a.b 2, a.c 1")]
