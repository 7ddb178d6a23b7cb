"""E-mail addresses are masked on every page, unless it is asked to show them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.document import CUT, PUT, SAME, TextRun
from gristmill.flows.explorer.masks import masked, masked_diff, masked_runs, masked_tokens
from gristmill.flows.explorer.tokens import Token, Tokenizers

ADDRESS = "jane.doe@flourmill.org"
DOTS = "••••.•••@•••••••••.•••"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a mill", "a mill"),
        (f"<{ADDRESS}>, {ADDRESS}", f"<{DOTS}>, {DOTS}"),
        ("字 müller@mühle.de 字", "字 ••••••@•••••.•• 字"),
    ],
)
def test_letters_of_an_address_are_dots(text, shown):
    assert masked(text) == shown


@given(st.text())
def test_a_mask_changes_no_length(text):
    assert len(masked(text)) == len(text)


@pytest.mark.parametrize(
    "pieces",
    [
        [(SAME, "to "), (CUT, ADDRESS), (PUT, "<EMAIL>"), (SAME, ".")],
        [(SAME, "to jane.doe@"), (CUT, "\u200b"), (SAME, "flourmill.org.")],  # only the clean text holds it
        [(SAME, "to jane.doe@"), (CUT, "flourmill"), (PUT, " mill"), (SAME, ".org.")],  # only the original
        [(CUT, ADDRESS), (PUT, "ada@mill.org")],
    ],
)
def test_an_address_is_found_across_changes(pieces):
    runs = masked_runs([TextRun(*piece) for piece in pieces])
    assert [(run.what, len(run.text)) for run in runs] == [(what, len(text)) for what, text in pieces]
    shown = "".join(run.text for run in runs)
    assert not any(name in shown for name in ("jane", "doe", "ada", "mill.org", "flourmill"))


def test_tokens_and_comparisons_are_masked():
    tokens = [Token("to j", [1]), Token("ane.doe@flour", [2, 3]), Token("mill.org", [4])]
    assert masked_tokens(tokens, f"to {DOTS}") == [
        Token("to •", [1]),
        Token("•••.•••@•••••", [2, 3]),
        Token("••••.•••", [4]),
    ]
    lower = masked_tokens(tokens, f"to {DOTS} cut")  # of a tokenizer that does not spell its text
    assert "".join(token.text for token in lower) == f"to {DOTS}"
    assert masked_diff([(" ", "to jane"), ("+", ".doe"), (" ", "@mill.org")]) == [
        (" ", "to ••••"),
        ("+", ".•••"),
        (" ", "@••••.•••"),
    ]


def test_no_page_shows_an_address_unless_asked(whole):
    client = TestClient(application(whole, Tokenizers(whole.folder)), base_url="http://127.0.0.1")
    found = str(client.get("/find?id=evil-3").url).rpartition("/document/")[2]
    pages = [
        f"/documents?text=evil-3&at={found}",
        f"/document/{found}",
        f"/text/{found}",
        f"/pane/{found}?view=clean",
        f"/pane/{found}?view=bpe",
        f"/copies/{found}",
        "/sql?q=select right(text, 50) as text from documents where id = 'evil-3'",
    ]
    for page in pages:
        assert "jane" not in client.get(page).text and "flourmill" not in client.get(page).text, page
    shown = client.get(pages[0] + "&addresses=shown")
    assert ADDRESS in shown.text and 'aria-checked="true"' in shown.text
    assert "addresses=shown" in client.get("/?addresses=shown").text  # links go on showing them
    assert ADDRESS in client.get(pages[-1] + "&addresses=shown").text
