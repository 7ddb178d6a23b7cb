"""Tokens of spaCy's blank English for each chunk, the characters between white space.

spaCy tokenizes chunks independently, so the tokens of a chunk can be cached, with one exception. As a last step spaCy
matches its special cases (``:)``, ``e.g.``, ``it's``) over the whole text. A special case that spans a space changes no
token itself, but it suppresses a special case that overlaps it. So each cached chunk has three flags:

- FRAGILE: the last step changed its tokens.
- OPENS: its first token may continue a special case that began before the preceding space.
- CLOSES: its last token may begin a special case that continues after the following space.

A FRAGILE chunk is tokenized again with its neighbors only if a CLOSES and an OPENS chunk meet at a space next to it.
"""

import re
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple, cast

import numpy as np

from gristmill.pipelines.errors import RecipeError

FRAGILE, OPENS, CLOSES = 1, 2, 4
# spaCy raises an error for this word, number 1 of its symbols, once a memory zone dropped it; datatrove then deletes
# it from the whole text. Here a stand-in is tokenized instead, and dropped where it is a token. The one difference:
# datatrove also deletes the word inside other words.
CURSED, STAND_IN = "IS_ALPHA", "IS_ALPHZ"
BATCH_CHARACTERS = 200_000  # of one call of spaCy

# Half of all chunks are an ASCII word, with or without a mark after it. Unless a special case contains the word, both
# are a token each. This check takes 2 µs, spaCy 18.
PLAIN = re.compile("([A-Za-z]{2,})([,;:!?.]?)")


class SpacyTokens(NamedTuple):
    """Token j is the bytes ``start[j]:end[j]`` of chunk ``chunk[j]``, in order; ``flags`` are of chunks."""

    chunk: np.ndarray  # int64[m]
    start: np.ndarray  # int32[m]
    end: np.ndarray  # int32[m]
    flags: np.ndarray  # uint8[n]


@cache
def chunk_splitter() -> "ChunkSplitter":
    """Return the tokenizer of this process: spaCy takes a second to load."""
    return ChunkSplitter()


class ChunkSplitter:
    """Tokenizer of chunks, by spaCy's blank English."""

    def __init__(self):
        try:
            import spacy
            from spacy.attrs import IS_SPACE, ORTH
            from spacy.tokenizer import Tokenizer
        except ImportError:
            raise RecipeError('words = "spacy" needs spaCy: pip install "gristmill[spacy]"') from None
        self.language = cast(Any, spacy.blank("en"))
        # Without this, spaCy computes a dozen attributes of each new word, which takes half the time of a new chunk.
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
        # spaCy matches only special cases with affixes over the text. While this one is built, none has any.
        self.unsearched = Tokenizer(self.language.vocab, rules=whole.rules, **affixes, **others)
        without_rules = Tokenizer(self.language.vocab, **affixes, **others)
        switch["on"] = True
        self.rules = frozenset(whole.rules)
        searched = [rule for rule in whole.rules if self._has_affix(rule)]
        patterns = [[token.text for token in without_rules(rule)] for rule in searched]
        opening, closing = {t for p in patterns for t in p[1:]}, {t for p in patterns for t in p[:-1]}
        self.not_plain = self.rules | {text for pattern in patterns for text in pattern if text.isalpha()}
        self.flags = {m: (OPENS if m in opening else 0) | (CLOSES if m in closing else 0) for m in (*",;:!?.", "")}
        hashes = self.language.vocab.strings
        self.stand_in = np.uint64(hashes[STAND_IN])
        self.opening, self.closing = (np.array([hashes[t] for t in sorted(s)], np.uint64) for s in (opening, closing))
        firsts = {whole.rules[rule][0][ORTH] for rule in searched}
        self.special_starts = np.array([hashes[text] for text in sorted(firsts)], np.uint64)

    def _has_affix(self, rule: str) -> bool:
        found = self.tokenizer
        return bool(found.find_prefix(rule) or found.find_suffix(rule) or found.find_infix(rule))

    def split(self, chunks: list[str]) -> SpacyTokens:
        """Tokenize chunks, each on its own."""
        match, not_plain, rules = PLAIN.fullmatch, self.not_plain, self.rules
        flags = np.zeros(len(chunks), np.uint8)
        plain, ends, others = [], [], []
        for i, chunk in enumerate(chunks):
            found = match(chunk)
            if found and chunk not in rules:
                word, mark = found.groups()
                if word not in not_plain and (mark != "." or word[-1].islower() or word[-2:].isupper()):
                    plain.append(i)
                    ends.append(len(word))
                    if mark:
                        flags[i] = self.flags[mark] & CLOSES
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
            among, begin, stop, found = self._tokenize([chunks[i] for i in some])
            some = np.array(some, np.int64)
            flags[some] = found
            parts.append((some[among], begin, stop))
        chunk, start, end = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(chunk, kind="stable")
        return SpacyTokens(chunk[order], start[order], end[order], flags)

    def split_within(self, windows: list[tuple[str, str, str]]) -> SpacyTokens:
        """Tokenize chunks in context: each window is the text before a chunk, the chunk, and the text after it."""
        text = "\n".join(map("".join, windows)).replace(CURSED, STAND_IN)
        sizes = np.array([[len(part) for part in window] for window in windows])
        begins = np.append(0, np.cumsum(sizes.sum(1) + 1)[:-1]) + sizes[:, 0]
        with self.language.memory_zone():
            tokens = self._tokens(self.tokenizer, text)
        start = tokens[:, 1].astype(np.int64)
        window = np.searchsorted(begins, start, "right") - 1
        tokens = tokens[(window >= 0) & (start < (begins + sizes[:, 1])[window])]
        return SpacyTokens(*_places(tokens, text, begins), np.zeros(0, np.uint8))

    def _tokenize(self, chunks: list[str]) -> SpacyTokens:
        """Tokenize chunks on lines of their own: no special case spans a line break, which is a token itself."""
        text = "\n".join(chunks).replace(CURSED, STAND_IN)
        begins = np.array([0, *accumulate(len(chunk) + 1 for chunk in chunks)][:-1])
        # A memory zone drops its words at its end, as datatrove's does, so spaCy's memory does not grow.
        with self.language.memory_zone():
            tokens = self._tokens(self.tokenizer, text)
            chunk, start, end = _places(tokens, text, begins)
            flags = self._flags(tokens[:, 0], chunk, len(chunks))
            several = np.bincount(chunk, minlength=len(chunks)) > 1
            suspects = np.unique(chunk[np.isin(tokens[:, 0], self.special_starts) & several[chunk]])
            if suspects.size:
                again = "\n".join(chunks[i] for i in suspects).replace(CURSED, STAND_IN)
                where = np.array([0, *accumulate(len(chunks[i]) + 1 for i in suspects)][:-1])
                unsearched = self._tokens(self.unsearched, again)
                suspect, begin, stop = _places(unsearched, again, where)
                flags[suspects] = self._flags(unsearched[:, 0], suspect, suspects.size)
                here: list[set[tuple[int, ...]]] = [set() for _ in suspects]
                for i, *span in zip(suspect.tolist(), begin.tolist(), stop.tolist(), strict=True):
                    here[i].add(tuple(span))
                first, last = np.searchsorted(chunk, suspects, "left"), np.searchsorted(chunk, suspects, "right")
                for i, spans in enumerate(here):
                    found = slice(first[i], last[i])
                    if spans != set(zip(start[found].tolist(), end[found].tolist(), strict=True)):
                        flags[suspects[i]] |= FRAGILE
        return SpacyTokens(chunk, start, end, flags)

    def _tokens(self, tokenizer, text: str) -> np.ndarray:
        """Return hash, position and length of each token except white space, uint64[m, 3]."""
        from spacy.attrs import IDX, IS_SPACE, LENGTH, ORTH

        tokens = tokenizer(text).to_array([ORTH, IDX, LENGTH, IS_SPACE]).reshape(-1, 4)
        return tokens[(tokens[:, 3] == 0) & (tokens[:, 0] != self.stand_in), :3]

    def _flags(self, hashes: np.ndarray, chunk: np.ndarray, n: int) -> np.ndarray:
        opens, closes = np.isin(hashes, self.opening), np.isin(hashes, self.closing)
        is_first, is_last = np.diff(chunk, prepend=-1) > 0, np.diff(chunk, append=n) > 0
        flags = np.zeros(n, np.uint8)
        flags[chunk[opens & is_first]] |= OPENS
        flags[chunk[closes & is_last]] |= CLOSES
        return flags


def _batches(rows: list[int], chunks: list[str]):
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += len(chunks[row]) + 1
        if size > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _places(tokens: np.ndarray, text: str, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return chunk, start and end of each token, in bytes of its chunk; ``begins`` are the chunks in characters."""
    start = tokens[:, 1].astype(np.int64)
    end = start + tokens[:, 2].astype(np.int64)
    chunk = np.searchsorted(begins, start, "right") - 1
    if not text.isascii():
        data = np.frombuffer(text.encode(), np.uint8)
        place = np.append(np.flatnonzero(data & 0xC0 != 0x80), data.size)
        start, end, begins = place[start], place[end], place[begins]
    return chunk, (start - begins[chunk]).astype(np.int32), (end - begins[chunk]).astype(np.int32)
