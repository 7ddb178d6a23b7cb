"""Others' models, KenLM binaries and ARPA files, asked through the ``kenlm`` package (extra ``kenlm``).

For people who have models such as CCNet's: slower by far than ours, since each line is a call. Units are words, split
as all filters split them, or pieces of the SentencePiece model that the n-grams were counted over.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import DocumentScores
from gristmill.filters.ngram.token_stream import words_by_line
from gristmill.filters.ngram.vocabulary import NAMES
from gristmill.pipelines.errors import InputError

KENLM, ARPA = b"mmap lm http://kheafield.com/code", b"\\data\\"  # how their files begin
NEEDS = "which needs another package: pip install 'gristmill[kenlm]'"
MARKS = {*NAMES.values()}


def is_kenlm(path) -> bool:
    """Is it a file of KenLM's, or ARPA?"""
    with path.open("rb") as file:
        return file.read(len(KENLM)).lstrip().startswith((KENLM, ARPA))


class KenLM:
    """A model of somebody else's."""

    def __init__(self, path: str, pieces: str | None = None):
        try:
            import kenlm
        except ImportError:
            raise InputError(f"{path} is read through kenlm, {NEEDS}") from None
        try:
            config = kenlm.Config()
            config.show_progress, config.arpa_complain = False, kenlm.ARPALoadComplain.NONE
            self.model = kenlm.Model(path, config)
        except OSError as error:
            raise InputError(f"kenlm cannot read {path} ({str(error).splitlines()[0]}); fetch it again") from None
        self.pieces = None if pieces is None else _pieces(pieces)
        self.alone: dict[bytes, float] = {}

    def score(self, batch: Batch) -> tuple[DocumentScores, DocumentScores]:
        """Of each document of a batch, and of each of its logical lines."""
        lines = batch.logical_lines
        found = np.zeros((lines.start.size, 4))
        for i, units in enumerate(self._units(batch)):
            if units:
                scores = [*self.model.full_scores(b" ".join(units))]
                alone = sum(self._alone(unit) for unit in units) + self._alone(b"</s>")
                unknown = sum(strange for _, _, strange in scores)
                found[i] = sum(score for score, _, _ in scores), alone, len(scores), unknown
        totals = np.concatenate((np.zeros((1, 4)), np.cumsum(found, axis=0)))[lines.offsets]
        return _costs(np.diff(totals, axis=0)), _costs(found)

    def _units(self, batch: Batch) -> Iterator[list[bytes]]:
        """Of each logical line its words or pieces; one that is written like a mark is no mark."""
        data, words, lines = batch.text.data, batch.words, batch.logical_lines
        if self.pieces:
            texts = (data[a:b].tobytes().decode(errors="replace") for a, b in zip(lines.start, lines.end, strict=True))
            rows = ([piece.encode() for piece in self.pieces.encode(text, out_type=str)] for text in texts)
        else:
            offsets = words_by_line(batch).offsets.tolist()
            every = [data[a:b].tobytes() for a, b in zip(words.start.tolist(), words.end.tolist(), strict=True)]
            rows = (every[first:last] for first, last in pairwise(offsets))
        for row in rows:
            yield [b"<unk>" if unit in MARKS else unit for unit in row]

    def _alone(self, unit: bytes) -> float:
        if unit not in self.alone:
            import kenlm

            state = kenlm.State()
            self.model.NullContextWrite(state)
            self.alone[unit] = self.model.BaseScore(state, unit.decode(errors="replace"), kenlm.State())
        return self.alone[unit]


def _costs(sums: np.ndarray) -> DocumentScores:
    log10, alone, tokens, unknown = sums.T
    return DocumentScores(log10, alone, tokens.astype(np.int64), unknown.astype(np.int64))


def _pieces(path: str):
    try:
        import sentencepiece
    except ImportError:
        raise InputError(f"{path} is read through sentencepiece, {NEEDS}") from None
    try:
        return sentencepiece.SentencePieceProcessor(model_file=path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"sentencepiece cannot read {path} ({str(error).splitlines()[0]}); fetch it again") from None
