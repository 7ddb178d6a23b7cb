"""Masks over e-mail addresses: a page shows them only if it is asked to."""

import re

from gristmill.filters.pii.detect import detect
from gristmill.flows.explorer.document import CUT, PUT, TextRun
from gristmill.flows.explorer.tokens import Token
from gristmill.pipelines.ragged import Ragged

DOT = "•"
TYPES = ("email", "url_credentials")
LONGEST = 320  # characters of an address: text is masked before it is cut, or cut as much later


def masked(text: str) -> str:
    """Return a text with the letters and digits of its e-mail addresses as dots, each for one character.

    >>> masked("Write to ada@mill.org!")
    'Write to •••@••••.•••!'
    """
    rows = Ragged.from_strings([text])
    data, at, pieces = rows.data.tobytes(), 0, []
    for _, start, end, _ in detect(rows, TYPES):
        pieces += [data[at:start].decode(), re.sub(r"\w", DOT, data[start:end].decode())]
        at = end
    return "".join([*pieces, data[at:].decode()])


def masked_runs(pieces: list[TextRun]) -> list[TextRun]:
    """Mask the addresses of the original text and of the clean one, wherever a change cuts them."""
    hidden = [[*piece.text] for piece in pieces]
    for left_out in (PUT, CUT):
        here = [i for i, piece in enumerate(pieces) if piece.what != left_out]
        text, at = masked("".join(pieces[i].text for i in here)), 0
        for i in here:
            shown = text[at : (at := at + len(pieces[i].text))]
            if shown != pieces[i].text:
                hidden[i] = [DOT if new == DOT else old for old, new in zip(hidden[i], shown, strict=True)]
    return [piece._replace(text="".join(text)) for piece, text in zip(pieces, hidden, strict=True)]


def masked_tokens(tokens: list[Token], text: str) -> list[Token]:
    """Give tokens of a text the characters of the masked one; tokens that do not spell it are masked as one text."""
    whole = "".join(token.text for token in tokens)
    text, at, found = text if len(text) == len(whole) else masked(whole), 0, []
    for token in tokens:
        found.append(token._replace(text=text[at : (at := at + len(token.text))]))
    return found


def masked_diff(diff: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Mask a comparison of two texts, word by word."""
    signs = {"-": CUT, "+": PUT}
    runs = masked_runs([TextRun(signs.get(sign, ""), text) for sign, text in diff])
    return [(sign, run.text) for (sign, _), run in zip(diff, runs, strict=True)]
