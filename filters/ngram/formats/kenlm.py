"""KenLM binaries and ARPA files, scored through the ``kenlm`` package (extra ``kenlm``).

Meant for existing models such as CCNet's. Far slower than our own models, since each line is a call. Units are the
words of all filters, or the pieces of the SentencePiece model that the n-grams were counted over.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import DocumentScores
from gristmill.filters.ngram.token_stream import words_by_line
from gristmill.filters.ngram.vocabulary import NAMES
from gristmill.pipelines.errors import InputError

KENLM, ARPA = b"mmap lm http://kheafield.com/code", b"\\data\\"  # first bytes of the files
NEEDS = "which is not installed: pip install 'gristmill[kenlm]'"
MARKERS = {*NAMES.values()}


def is_kenlm(path) -> bool:
    """True if the file is a KenLM binary or ARPA."""
    with path.open("rb") as file:
        return file.read(len(KENLM)).lstrip().startswith((KENLM, ARPA))


class KenLM:
    """A KenLM model. Raises InputError if it, or a package that it needs, cannot be loaded."""

    def __init__(self, path: str, sentencepiece_model: str | None = None):
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
        self.pieces = None if sentencepiece_model is None else _load_sentencepiece(sentencepiece_model)
        self.unigrams: dict[bytes, float] = {}

    def score(self, batch: Batch) -> tuple[DocumentScores, DocumentScores]:
        """Return the scores of the documents of a batch, and of their logical lines."""
        lines = batch.logical_lines
        found = np.zeros((lines.start.size, 4))
        for i, units in enumerate(self._units(batch)):
            if units:
                scores = [*self.model.full_scores(b" ".join(units))]
                unigrams = sum(self._unigram(unit) for unit in units) + self._unigram(b"</s>")
                unknown = sum(strange for _, _, strange in scores)
                found[i] = sum(score for score, _, _ in scores), unigrams, len(scores), unknown
        totals = np.concatenate((np.zeros((1, 4)), np.cumsum(found, axis=0)))[lines.offsets]
        return _document_scores(np.diff(totals, axis=0)), _document_scores(found)

    def _units(self, batch: Batch) -> Iterator[list[bytes]]:
        """Yield the words or pieces of each logical line; one written like a marker becomes <unk>."""
        data, words, lines = batch.text.data, batch.words, batch.logical_lines
        if self.pieces:
            texts = (data[a:b].tobytes().decode(errors="replace") for a, b in zip(lines.start, lines.end, strict=True))
            rows = ([piece.encode() for piece in self.pieces.encode(text, out_type=str)] for text in texts)
        else:
            offsets = words_by_line(batch).offsets.tolist()
            every = [data[a:b].tobytes() for a, b in zip(words.start.tolist(), words.end.tolist(), strict=True)]
            rows = (every[first:last] for first, last in pairwise(offsets))
        for row in rows:
            yield [b"<unk>" if unit in MARKERS else unit for unit in row]

    def _unigram(self, unit: bytes) -> float:
        if unit not in self.unigrams:
            import kenlm

            state = kenlm.State()
            self.model.NullContextWrite(state)
            self.unigrams[unit] = self.model.BaseScore(state, unit.decode(errors="replace"), kenlm.State())
        return self.unigrams[unit]


def _document_scores(sums: np.ndarray) -> DocumentScores:
    log10, unigrams, tokens, unknown = sums.T
    return DocumentScores(log10, unigrams, tokens.astype(np.int64), unknown.astype(np.int64))


def _load_sentencepiece(path: str):
    try:
        import sentencepiece
    except ImportError:
        raise InputError(f"{path} is read through sentencepiece, {NEEDS}") from None
    try:
        return sentencepiece.SentencePieceProcessor(model_file=path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"sentencepiece cannot read {path} ({str(error).splitlines()[0]}); fetch it again") from None
