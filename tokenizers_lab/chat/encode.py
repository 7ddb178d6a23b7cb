"""Conversations to ids, and which of them a model learns."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from gristmill.pipelines.inputs.turns import Turn, split_turns
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.chat.template import Piece, Template
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.strings.surrogates import valid_text
from gristmill.tokenizers_lab.tokenizer import Tokenizer

NO_ROLE = ""  # of a document that is one text


def end_of_text(model: Model) -> str:
    """Return the special token that ends a text; without one, the token that begins the next; "" without any."""
    return model.roles.get("eos") or model.roles.get("bos") or ""


class ChatEncoder:
    """Tokenizer and template. Pieces of text are encoded apart, so that an answer begins as in generation."""

    def __init__(self, tokenizer: Tokenizer, template: str):
        """Open a template by its name or file. Raises RecipeError."""
        self.tokenizer = tokenizer
        self.template = Template.named(template, eos=end_of_text(tokenizer.model))
        self._markup: dict[str, np.ndarray] = {}

    def documents(self, text: Ragged, turns: pa.ChunkedArray) -> tuple[Ragged, np.ndarray]:
        """Return the ids of documents, and which of them are answers, or in a document without roles, bool[ids]."""
        spans = turns.to_pylist()
        texts = [text.row(row) for row in range(text.rows)]
        return self.encode(
            [
                [Turn(NO_ROLE, each.decode())] if mine is None else split_turns(each, mine)
                for each, mine in zip(texts, spans, strict=True)
            ]
        )

    def encode(self, conversations: Sequence[Sequence[Turn]]) -> tuple[Ragged, np.ndarray]:
        """Return the ids of each conversation, and which of them are answers and their ends, bool[ids]."""
        pieces = [self._pieces(turns) for turns in conversations]
        contents = [
            valid_text(piece.of(turns))
            for turns, mine in zip(conversations, pieces, strict=True)
            for piece in mine
            if piece.turn is not None
        ]
        encoded, row = self.tokenizer(Ragged.from_strings(contents)), 0
        parts, answers, ends = [np.empty(0, encoded.data.dtype)], [np.empty(0, np.bool_)], [0]
        for mine in pieces:
            size = 0
            for piece in mine:
                if piece.turn is None:
                    ids = self._special(piece.text)
                else:
                    ids, row = encoded.data[encoded.offsets[row] : encoded.offsets[row + 1]], row + 1
                parts.append(ids)
                answers.append(np.full(ids.size, piece.answer))
                size += ids.size
            ends.append(ends[-1] + size)
        ids = np.concatenate(parts).astype(encoded.data.dtype, copy=False)
        return Ragged.from_arrays(np.array(ends, np.int64), ids), np.concatenate(answers)

    def _pieces(self, turns: Sequence[Turn]) -> tuple[Piece, ...]:
        is_text = len(turns) == 1 and turns[0].role == NO_ROLE
        return (Piece("", 0, True),) if is_text else self.template.pieces(turns)

    def prompt(self, turns: Sequence[Turn]) -> list[int]:
        """Return the ids of a conversation up to where the next answer begins."""
        found: list[int] = []
        for piece in self.template.pieces(turns, prompt=True):
            ids = self._special(piece.text) if piece.turn is None else self.tokenizer.encode(piece.of(turns))
            found += [*map(int, ids)]
        return found

    @cached_property
    def end(self) -> list[int]:
        """Ids that end an answer."""
        return self._special(self.template.end()).tolist()

    def _special(self, text: str) -> np.ndarray:
        """Return the ids of the template's own text, special tokens included."""
        if text not in self._markup:
            self._markup[text] = np.array(self.tokenizer.encode(text, allowed="all"), np.int64)
        return self._markup[text]
