"""A document as the explorer shows it: both its texts, its tokens, and nothing of it that could leave its place."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.flows.escape import marked
from gristmill.flows.explorer import document as documents_of
from gristmill.flows.explorer.pages import number
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.pipelines.errors import WorkError
from tests.flows.explorer.conftest import controls

texts = st.text(st.sampled_from("ab\u00e9\u5b57 \n"), max_size=12)


@st.composite
def rewritten(draw):
    """A text, and by step spans of whole characters: what each cuts and puts, of what those before it left."""
    text, steps = draw(texts), []
    left = text
    for _ in range(draw(st.integers(0, 3))):
        cuts = sorted(draw(st.sets(st.integers(0, len(left)), max_size=6)))
        spans = []
        for begin, end in zip(cuts[::2], cuts[1::2], strict=False):
            offset, length = (len(left[a:b].encode()) for a, b in ((0, begin), (begin, end)))
            spans.append((offset, length, "why", draw(texts)))
        steps.append(spans)
        left = b"".join(_pieces(left.encode(), spans)).decode()
    return text, steps, left


def _pieces(text, spans):
    at = 0
    for offset, length, _, replacement in spans:
        yield text[at:offset]
        yield replacement.encode()
        at = offset + length
    yield text[at:]


@given(rewritten())
def test_marked_changes_hold_both_texts(case):
    text, steps, left = case
    pieces = documents_of.changes(text.encode(), {str(i): spans for i, spans in enumerate(steps)})
    assert "".join(piece.text for piece in pieces if piece.what != "put") == text
    assert documents_of.clean_text(pieces) == left
    whole = [documents_of.cut_out(pieces, at, at + 3) for at in range(0, 99, 3)]
    assert "".join(piece.text for some in whole for piece in some) == "".join(piece.text for piece in pieces)


def test_the_text_as_written_is_the_clean_one(whole, shards):
    by_id, rewrote = dict(shards("clean").select("id", "text").iter_rows()), 0
    for place_ in np.flatnonzero(whole.kept).tolist()[::4]:
        (unit,) = whole.units(np.array([place_]))
        found = documents_of.read_document(whole, unit.part, int(unit.rows[0]))
        pieces = documents_of.changes(found.text, found.spans)
        assert documents_of.clean_text(pieces) == by_id[found.history["id"]]
        rewrote += len(pieces) > 1
    assert rewrote > 5


def test_tokens_spell_the_text(whole):
    text = "The mill \u5b57\u5b57 \U0001f33e grinds.\n\x00 e\u0301"
    tokens = Tokenizers(whole.folder).tokens("bpe", text)
    assert "".join(token.text for token in tokens) == text and max(map(len, (token.ids for token in tokens))) > 1
    with pytest.raises(WorkError, match="found bpe"):
        Tokenizers(whole.folder).tokens("wordpiece", text)


@given(st.text())
def test_shown_text_cannot_leave_its_place(text):
    html = str(marked(text))
    assert not controls(html)
    rest = re.sub('<i class="control" title="U\\+[0-9A-F]{4,6}">[^<>"\']*</i>', "", html)
    assert not {*rest} & {*"<>\"'"}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "off"), (50, "50"), (1234567.0, "1,234,567"), (0.26012, "0.2601"), (1234.5, "1234")]
)
def test_numbers_read_well(value, text):
    assert number(value) == text
