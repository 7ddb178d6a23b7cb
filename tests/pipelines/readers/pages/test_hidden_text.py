"""What the reader of a page does not see, and pages of a single element."""

import pytest

from gristmill.pipelines.readers.pages.html_worker import extract

SEEN = "<p>The mill grinds the grain that the farmers bring on carts every week of the year, number {}.</p>"
HIDDEN = "A hidden line, long enough to be taken for one of the article."


def text(page: str, favor: str = "precision") -> str:
    return extract(page.encode(), "", "utf-8", favor)["text"]


@pytest.mark.parametrize("favor", ["precision", "recall"])
@pytest.mark.parametrize(
    "element",
    [
        f"<p hidden>{HIDDEN}</p>",
        f'<div hidden="until-found"><p>{HIDDEN}</p></div>',
        f'<p style="display:none">{HIDDEN}</p>',
        f'<p style="color: red; DISPLAY :\tNone !important">{HIDDEN}</p>',
        f"<template><p>{HIDDEN}</p></template>",
    ],
)
def test_hidden_elements_are_left_out(element, favor):
    page = f"<html><body><article>{SEEN.format(1)}{element} after{SEEN.format(2)}</article></body></html>"
    assert HIDDEN not in text(page, favor)
    assert "number 1." in text(page, favor) and "number 2." in text(page, favor)


def test_elements_hidden_from_screen_readers_are_left_out_for_precision():
    page = f'<html><body><article>{SEEN.format(1)}<p aria-hidden="true">{HIDDEN}</p>{SEEN.format(2)}</article></body>'
    assert HIDDEN not in text(page)


@pytest.mark.parametrize(
    "element",
    [
        f"<p>{HIDDEN}</p>",
        f'<p class="not-seen" data-hidden="1">{HIDDEN}</p>',
        f'<p style="display:block">{HIDDEN}</p>',
        f'<p aria-hidden="false">{HIDDEN}</p>',
    ],
)
def test_other_elements_stay(element):
    page = f"<html><body><article>{SEEN.format(1)}{element}{SEEN.format(2)}</article></body></html>"
    assert HIDDEN in text(page)


def test_words_around_a_hidden_one_stay():
    page = f"<html><body><article>{SEEN.format(1)}<p>Flour <b hidden>not</b> of the mill.</p></article></body></html>"
    assert "Flour of the mill." in text(page)


def test_a_body_that_scripts_will_show_is_read():
    assert "number 1." in text(f"<html><body hidden>{SEEN.format(1)}{SEEN.format(2)}</body></html>")


@pytest.mark.parametrize("favor", ["precision", "recall"])
@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<p>One line.</p>", "One line."),
        ("<!-- c --><p>One line.</p>", "One line."),
        ("<div>One line.</div>", "One line."),
        ("<html><body><p>One line.</p></body></html>", "One line."),
        ("<p hidden>One line.</p>", ""),
    ],
)
def test_a_page_may_be_one_element(page, found, favor):
    assert text(page, favor).strip() == found
