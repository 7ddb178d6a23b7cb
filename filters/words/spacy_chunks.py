"""What spaCy's blank English makes of chunks, the runs of characters between white space.

spaCy takes chunks apart one by one, so its answer for a chunk holds wherever the chunk stands, but for one case: at
last it looks for its exceptions (``:)``, ``e.g.``, ``it's``) among the pieces of the whole text, and there an
exception found across a space, which changes nothing, bars another that overlaps it. So each chunk whose pieces that
last look changed is noted as FRAGILE, and of each whether it could end (OPENS) or begin (CLOSES) an exception that
lies across the space before or behind it.
"""

import re
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError

FRAGILE, OPENS, CLOSES = 1, 2, 4
# Once spaCy has met this word, number 1 of its symbols, and forgotten it, it throws at it; datatrove then strikes it
# out of the whole text. Here it is asked for by another name, and left out where it is a piece: the one difference is
# a text that also has it inside another word.
CURSED, STAND_IN = "IS_ALPHA", "IS_ALPHZ"
BATCH = 200_000  # characters given to spaCy at once

# Half of all chunks are a word of ASCII letters, with or without a mark behind it. Where no exception knows it, that
# is one piece and the mark another; saying so here takes 2 µs, asking spaCy 18.
PLAIN = re.compile("([A-Za-z]{2,})([,;:!?.]?)")


class SpacyTokens(NamedTuple):
    """Piece j is the bytes ``start[j]:end[j]`` of chunk ``chunk[j]``, in order; ``notes`` are of each chunk."""

    chunk: np.ndarray  # int64[m]
    start: np.ndarray  # int32[m]
    end: np.ndarray  # int32[m]
    notes: np.ndarray  # uint8[n]


@cache
def chunk_splitter() -> "ChunkSplitter":
    """The process's own: spaCy takes a second to load."""
    return ChunkSplitter()


class ChunkSplitter:
    def __init__(self):
        try:
            import spacy
            from spacy.attrs import IS_SPACE, ORTH
            from spacy.tokenizer import Tokenizer
        except ImportError:
            raise RecipeError('words = "spacy" needs spaCy: pip install "gristmill[spacy]"') from None
        self.language = spacy.blank("en")
        # Of each new word spaCy would note a dozen things, as its shape: half the time that a new chunk takes.
        self.language.vocab.lex_attr_getters = {IS_SPACE: str.isspace}
        self.tokenizer = whole = self.language.tokenizer
        switch = {"on": False}

        def if_on(search, otherwise):
            return lambda text: search(text) if switch["on"] else otherwise

        affixes = {
            "prefix_search": if_on(whole.prefix_search, None),
            "suffix_search": if_on(whole.suffix_search, None),
            "infix_finditer": if_on(whole.infix_finditer, ()),
        }
        others = {"token_match": whole.token_match, "url_match": whole.url_match}
        # An exception is also looked for among pieces only if it has affixes; made while none are found, none is.
        self.unsearched = Tokenizer(self.language.vocab, rules=whole.rules, **affixes, **others)
        without_rules = Tokenizer(self.language.vocab, **affixes, **others)
        switch["on"] = True
        self.rules = frozenset(whole.rules)
        searched = [rule for rule in whole.rules if self._has_affix(rule)]
        patterns = [[piece.text for piece in without_rules(rule)] for rule in searched]
        opening, closing = {t for p in patterns for t in p[1:]}, {t for p in patterns for t in p[:-1]}
        self.not_plain = self.rules | {text for pattern in patterns for text in pattern if text.isalpha()}
        self.notes = {m: (OPENS if m in opening else 0) | (CLOSES if m in closing else 0) for m in (*",;:!?.", "")}
        hashes = self.language.vocab.strings
        self.stand_in = np.uint64(hashes[STAND_IN])
        self.opening, self.closing = (np.array([hashes[t] for t in sorted(s)], np.uint64) for s in (opening, closing))
        firsts = {whole.rules[rule][0][ORTH] for rule in searched}
        self.exceptions = np.array([hashes[text] for text in sorted(firsts)], np.uint64)

    def _has_affix(self, rule: str) -> bool:
        found = self.tokenizer
        return bool(found.find_prefix(rule) or found.find_suffix(rule) or found.find_infix(rule))

    def split(self, chunks: list[str]) -> SpacyTokens:
        """Take apart chunks that each stand alone."""
        match, not_plain, rules = PLAIN.fullmatch, self.not_plain, self.rules
        notes = np.zeros(len(chunks), np.uint8)
        plain, ends, others = [], [], []
        for i, chunk in enumerate(chunks):
            found = match(chunk)
            if found and chunk not in rules:
                word, mark = found.groups()
                if word not in not_plain and (mark != "." or word[-1].islower() or word[-2:].isupper()):
                    plain.append(i)
                    ends.append(len(word))
                    if mark:
                        notes[i] = self.notes[mark] & CLOSES
                        plain.append(i)
                        ends.append(-1)
                    continue
            others.append(i)
        chunk, end = np.array(plain, np.int64), np.array(ends, np.int32)
        is_mark = end < 0
        start = np.where(is_mark, np.roll(end, 1), 0).astype(np.int32)
        end = np.where(is_mark, start + 1, end).astype(np.int32)
        parts = [(chunk, start, end)]
        for some in _batches(others, chunks):
            among, begin, stop, noted = self._ask([chunks[i] for i in some])
            some = np.array(some, np.int64)
            notes[some] = noted
            parts.append((some[among], begin, stop))
        chunk, start, end = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(chunk, kind="stable")
        return SpacyTokens(chunk[order], start[order], end[order], notes)

    def split_within(self, windows: list[tuple[str, str, str]]) -> SpacyTokens:
        """Take apart chunks where they stand: what is before a chunk, the chunk, and what is behind it."""
        text = "\n".join(map("".join, windows)).replace(CURSED, STAND_IN)
        sizes = np.array([[len(part) for part in window] for window in windows])
        begins = np.append(0, np.cumsum(sizes.sum(1) + 1)[:-1]) + sizes[:, 0]
        with self.language.memory_zone():
            tokens = self._tokens(self.tokenizer, text)
        start = tokens[:, 1].astype(np.int64)
        of = np.searchsorted(begins, start, "right") - 1
        tokens = tokens[(of >= 0) & (start < (begins + sizes[:, 1])[of])]
        return SpacyTokens(*_pieces(tokens, text, begins), np.zeros(0, np.uint8))

    def _ask(self, chunks: list[str]) -> SpacyTokens:
        """Chunks on lines of their own: no exception goes across a line break, which is a piece itself."""
        text = "\n".join(chunks).replace(CURSED, STAND_IN)
        begins = np.array([0, *accumulate(len(chunk) + 1 for chunk in chunks)][:-1])
        # A zone forgets its words when it closes, as datatrove's does: spaCy's memory stays as it was.
        with self.language.memory_zone():
            tokens = self._tokens(self.tokenizer, text)
            chunk, start, end = _pieces(tokens, text, begins)
            notes = self._note(tokens[:, 0], chunk, len(chunks))
            several = np.bincount(chunk, minlength=len(chunks)) > 1
            suspects = np.unique(chunk[np.isin(tokens[:, 0], self.exceptions) & several[chunk]])
            if suspects.size:
                again = "\n".join(chunks[i] for i in suspects).replace(CURSED, STAND_IN)
                where = np.array([0, *accumulate(len(chunks[i]) + 1 for i in suspects)][:-1])
                plainly = self._tokens(self.unsearched, again)
                piece, begin, stop = _pieces(plainly, again, where)
                notes[suspects] = self._note(plainly[:, 0], piece, suspects.size)
                here = [set() for _ in suspects]
                for i, *span in zip(piece.tolist(), begin.tolist(), stop.tolist(), strict=True):
                    here[i].add(tuple(span))
                first, last = np.searchsorted(chunk, suspects, "left"), np.searchsorted(chunk, suspects, "right")
                for i, spans in enumerate(here):
                    found = slice(first[i], last[i])
                    if spans != set(zip(start[found].tolist(), end[found].tolist(), strict=True)):
                        notes[suspects[i]] |= FRAGILE
        return SpacyTokens(chunk, start, end, notes)

    def _tokens(self, tokenizer, text: str) -> np.ndarray:
        """uint64[m, 3]: hash, place and length of each piece but white space."""
        from spacy.attrs import IDX, IS_SPACE, LENGTH, ORTH

        tokens = tokenizer(text).to_array([ORTH, IDX, LENGTH, IS_SPACE]).reshape(-1, 4)
        return tokens[(tokens[:, 3] == 0) & (tokens[:, 0] != self.stand_in), :3]

    def _note(self, hashes: np.ndarray, chunk: np.ndarray, n: int) -> np.ndarray:
        opens, closes = np.isin(hashes, self.opening), np.isin(hashes, self.closing)
        is_first, is_last = np.diff(chunk, prepend=-1) > 0, np.diff(chunk, append=n) > 0
        notes = np.zeros(n, np.uint8)
        notes[chunk[opens & is_first]] |= OPENS
        notes[chunk[closes & is_last]] |= CLOSES
        return notes


def _batches(rows: list[int], chunks: list[str]):
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += len(chunks[row]) + 1
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pieces(tokens: np.ndarray, text: str, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places in characters of a text, and where its chunks begin -> chunk, start and end in bytes of the chunk."""
    start = tokens[:, 1].astype(np.int64)
    end = start + tokens[:, 2].astype(np.int64)
    chunk = np.searchsorted(begins, start, "right") - 1
    if not text.isascii():
        data = np.frombuffer(text.encode(), np.uint8)
        place = np.append(np.flatnonzero(data & 0xC0 != 0x80), data.size)
        start, end, begins = place[start], place[end], place[begins]
    return chunk, (start - begins[chunk]).astype(np.int32), (end - begins[chunk]).astype(np.int32)
