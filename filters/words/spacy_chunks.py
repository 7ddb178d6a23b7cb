"""Tokens of spaCy's blank English for each chunk, the characters between white space.

spaCy tokenizes chunks independently, so the tokens of a chunk can be cached, with one exception. As a last step spaCy
matches its special cases (``:)``, ``e.g.``, ``it's``) over the whole text. A special case that spans a space changes no
token itself, but it suppresses a special case that overlaps it. So each cached chunk has three flags:

- FRAGILE: the last step changed its tokens.
- OPENS: its first token may continue a special case that began before the preceding space.
- CLOSES: its last token may begin a special case that continues after the following space.

A FRAGILE chunk is tokenized again with its neighbors only if a CLOSES and an OPENS chunk meet at a space next to it.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from gristmill.filters.words.spacy_shapes import (
    CLOSES,
    CURSED,
    OPENS,
    PIECES,
    VARIES,
    Specials,
    characters,
    cut_chunks,
    hash_shapes,
    shape_of,
)
from gristmill.filters.words.words import hashes_of
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.hidden import hidden_if_alone

FRAGILE = 1
# spaCy raises an error for this word, number 1 of its symbols, once a memory zone dropped it; datatrove then deletes
# it from the whole text. Here a stand-in is tokenized instead, and dropped where it is a token. The one difference:
# datatrove also deletes the word inside other words.
STAND_IN = "IS_ALPHZ"  # for CURSED
BATCH_CHARACTERS = 200_000  # of one call of spaCy
MOST_SHAPES = 1 << 18  # that are kept

Cuts = tuple[int, ...] | None  # the numbers of the pieces at which tokens begin, without 0; None if they differ


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
            with hidden_if_alone("torch"):  # which spaCy imports if it is installed, for models
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
        split = {rule: [token.text for token in without_rules(rule)] for rule in whole.rules}
        changing = {rule for rule, case in whole.rules.items() if [each[ORTH] for each in case] != split[rule]}
        searched = [rule for rule in whole.rules if self._has_affix(rule)]
        opening = {token for rule in searched for token in split[rule][1:]}
        closing = {token for rule in searched for token in split[rule][:-1]}
        parted = {rule for rule in changing if len(whole.rules[rule]) > 1}
        firsts = changing | {split[rule][0] for rule in changing}
        self.changing = changing
        self.cuts: dict[int, Cuts] = {0: None}  # by the hash of a shape
        self.once: set[int] = set()  # shapes that one chunk had
        words = changing, parted, firsts, opening, closing
        self.specials = Specials(*(np.sort(hashes_of([*each])) for each in words))
        hashes = self.language.vocab.strings
        self.stand_in = np.uint64(hashes[STAND_IN])
        self.opening, self.closing = (np.array([hashes[t] for t in sorted(s)], np.uint64) for s in (opening, closing))
        starts = {whole.rules[rule][0][ORTH] for rule in searched}
        self.special_starts = np.array([hashes[text] for text in sorted(starts)], np.uint64)

    def _has_affix(self, rule: str) -> bool:
        found = self.tokenizer
        return bool(found.find_prefix(rule) or found.find_suffix(rule) or found.find_infix(rule))

    def split(self, data: np.ndarray, start: np.ndarray, end: np.ndarray) -> SpacyTokens:
        """Tokenize the chunks ``data[start:end]``, each on its own."""
        parts, flags, sure = self._split_by_shape(data, start, end)
        others = np.flatnonzero(~sure)
        for some, texts in _batches(others, [_text(data, start[i], end[i]) for i in others]):
            among, begin, stop, flags[some] = self._tokenize(texts)
            parts = [*parts, (some[among], begin, stop)]
        chunk, begin, stop = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(chunk, kind="stable")
        return SpacyTokens(chunk[order], begin[order], stop[order], flags)

    def _split_by_shape(self, data: np.ndarray, start: np.ndarray, end: np.ndarray):
        """Return tokens by shapes, as columns; flags of chunks; and of which chunks the tokens are sure, bool[n]."""
        table, size = characters(), start.size
        shapes = np.empty(size, np.uint64)
        hash_shapes(data, start, end, table.numbers, table.blocks, table.units, shapes)
        shapes, examples, of_shape, many = np.unique(shapes, True, True, True)
        cuts = self._cuts_of(shapes, many, lambda i: _text(data, start[examples[i]], end[examples[i]]))
        tokens = np.array([0 if each is None else len(each) + 1 for each in cuts], np.int64)
        first = np.append(0, np.cumsum(np.maximum(tokens - 1, 0)))
        places = np.array([*chain.from_iterable(filter(None, cuts))], np.int64)
        chunk = np.repeat(np.arange(size), tokens[of_shape])
        begin, stop = np.empty(chunk.size, np.int32), np.empty(chunk.size, np.int32)
        flags, sure = np.zeros(size, np.uint8), np.zeros(size, np.bool_)
        of_shape = np.where(tokens > 0, np.arange(tokens.size), -1)[of_shape]
        arrays = self.specials, begin, stop, flags, sure
        cut_chunks(data, start, end, of_shape, first, places, table.numbers, table.blocks, *arrays)
        return [tuple(column[sure[chunk]] for column in (chunk, begin, stop))], flags, sure

    def _cuts_of(self, shapes: np.ndarray, chunks: np.ndarray, example: Callable[[int], str]) -> list[Cuts]:
        """Return the cuts of shapes, from the number of chunks that have each, and ``example(i)``, one of them.

        None means that spaCy must split each chunk: also for a shape's first chunk, as most shapes have no second.
        """
        if len(self.cuts) + len(self.once) + shapes.size > MOST_SHAPES:
            self.cuts, self.once = {0: None}, set()
        new = {}
        for i, (shape, many) in enumerate(zip(shapes.tolist(), chunks.tolist(), strict=True)):
            if shape not in self.cuts:
                if many > 1 or shape in self.once:
                    new[shape] = shape_of(example(i))
                else:
                    self.once.add(shape)
        for hashes, some in _batches(np.array([*new], np.uint64), [*new.values()]):
            found = self._tokenize(some)
            bounds = np.searchsorted(found.chunk, np.arange(len(some) + 1)).tolist()
            for key, shape, low, high in zip(hashes.tolist(), some, bounds, bounds[1:], strict=False):
                self.cuts[key] = self._cuts(shape, found.start[low:high].tolist())
            self.cuts |= dict.fromkeys(hashes[found.flags & FRAGILE > 0].tolist())
        self.once -= new.keys()
        return [self.cuts.get(shape) for shape in shapes.tolist()]

    def _cuts(self, shape: str, starts: list[int]) -> Cuts:
        """Return the numbers of the pieces at which tokens begin, but the first."""
        pieces = PIECES.findall(shape)
        places = [*accumulate((len(piece.encode()) for piece in pieces), initial=0)]
        if not {*starts} < {*places}:
            return None
        cuts = [places.index(start) for start in starts]
        tokens = ["".join(pieces[a:b]) for a, b in pairwise([*cuts, len(pieces)])]
        for i, token in enumerate(tokens):
            several = [*accumulate(tokens[i:])][1:]
            if (token in self.changing and VARIES.search(token)) or any(case in self.changing for case in several):
                return None
        return tuple(cuts[1:])

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


def _text(data: np.ndarray, start: np.integer, end: np.integer) -> str:
    return data[start:end].tobytes().decode()


def _batches(rows: np.ndarray, chunks: list[str]) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield rows and their chunks of BATCH_CHARACTERS together, or a little more."""
    ends = np.cumsum([len(chunk) + 1 for chunk in chunks])
    begin = 0
    while begin < len(chunks):
        before = ends[begin - 1] if begin else 0
        stop = int(np.searchsorted(ends, before + BATCH_CHARACTERS)) + 1
        yield rows[begin:stop], chunks[begin:stop]
        begin = stop


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
