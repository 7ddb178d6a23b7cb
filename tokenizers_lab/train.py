"""Train a tokenizer by any of the algorithms: word counts -> a Model."""

from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.inputs.inputs import Fraction, Positive
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings
from gristmill.tokenizers_lab import pretokenize as pretokenizers
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, VocabSize, train_bpe
from gristmill.tokenizers_lab.bpe.train_wordpiece import WordpieceSettings, train_wordpiece
from gristmill.tokenizers_lab.count.word_counts import WordCounts, merge
from gristmill.tokenizers_lab.count_settings import CountSettings
from gristmill.tokenizers_lab.formats.model import END_OF_TEXT, ROLE_NAMES, Model, known_roles
from gristmill.tokenizers_lab.normalize.normalizers import check_normalizers
from gristmill.tokenizers_lab.parity import LanguageCounts, ParitySettings, balance_languages
from gristmill.tokenizers_lab.strings.codepoints import count_characters
from gristmill.tokenizers_lab.strings.user_symbols import check_symbols
from gristmill.tokenizers_lab.superbpe import SuperbpeSettings, join_words
from gristmill.tokenizers_lab.unigram.scripts import split_scripts
from gristmill.tokenizers_lab.unigram.seeds import characters, seeds
from gristmill.tokenizers_lab.unigram.sentencepiece_seeds import unmark_words
from gristmill.tokenizers_lab.unigram.train import train_unigram

Report = Callable[[str], None]
BYTES = [bytes([b]) for b in range(256)]
MOST_LANGUAGES = 1000
# Defaults of each algorithm: pre-tokenizer, normalizers, special tokens.
DEFAULTS = {
    "bpe": ("o200k", (), (END_OF_TEXT,)),
    "superbpe": ("superwords", (), (END_OF_TEXT,)),
    "wordpiece": ("bert", ("bert_clean", "lower", "strip_accents"), ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")),
    "unigram": ("metaspace", ("prefix", "escape"), ("<unk>", "<s>", "</s>")),
    "words": ("o200k", (), (END_OF_TEXT,)),
    "chars": ("none", (), (END_OF_TEXT,)),
}


class UnigramSettings(Settings):
    """Settings of unigram training (Kudo 2018)."""

    character_coverage: Fraction = 0.9995  # share of the text that the kept characters make up, besides printable ASCII
    byte_fallback: bool = True  # other characters become bytes; without it they are <unk>
    required_chars: str = ""  # characters that must be pieces
    seed_method: Literal["words", "sentencepiece"] = "words"  # see unigram/seeds.py and unigram/sentencepiece_seeds.py
    seed_size: Positive = 1_000_000  # candidates besides single characters
    max_piece_length: int = Field(16, ge=1, le=255)  # characters
    split_digits: bool = True  # no piece mixes digits and letters
    shrinking_factor: float = Field(0.75, gt=0, lt=1)  # share of the pieces that a round keeps
    em_iterations: Positive = 2  # per round


class TokenizerSettings(Settings):
    """Settings of ``gristmill tokenizer train``; without a value: the default of the algorithm."""

    algorithm: Literal["bpe", "superbpe", "wordpiece", "unigram", "words", "chars"] = "bpe"
    pretokenizer: str | None = None
    vocab_size: VocabSize = 32_000  # all pieces, with bytes and special tokens
    special_tokens: list[str] | None = None
    user_symbols: list[str] = []  # texts that are always one piece; for unigram and SentencePiece's BPE
    roles: dict[Literal["bos", "eos", "unknown", "pad", "mask"], str] = {}  # special tokens; known names have roles
    normalizers: list[str] | None = None
    bpe: BpeSettings = BpeSettings()  # of superbpe's first stage too
    superbpe: SuperbpeSettings = SuperbpeSettings()
    parity: ParitySettings = ParitySettings()
    unigram: UnigramSettings = UnigramSettings()
    wordpiece: WordpieceSettings = WordpieceSettings()

    @property
    def is_sentencepiece(self) -> bool:
        """True for unigram and SentencePiece's BPE, whose special tokens and user symbols never occur in words."""
        by_piece = self.bpe.alphabet == "characters" and self.bpe.compat == "sentencepiece"
        return self.algorithm == "unigram" or (self.algorithm == "bpe" and by_piece)

    def count_settings(self) -> CountSettings:
        """Return how to count words. Raises RecipeError as ``resolved``."""
        pretokenizer, normalizers, special = self.first_stage().resolved()
        excluded = (*special, *self.user_symbols) if self.is_sentencepiece else ()
        line_ends = self.algorithm == "unigram" and self.unigram.seed_method == "sentencepiece"
        return CountSettings(pretokenizer, normalizers, tuple(self.user_symbols), excluded, line_ends)

    def superword_settings(self) -> CountSettings | None:
        """Return how to count superwords, None for an algorithm that has none."""
        pretokenizer, normalizers, _ = self.resolved()
        return CountSettings(pretokenizer, normalizers) if self.algorithm == "superbpe" else None

    def first_stage(self) -> "TokenizerSettings":
        """Return the settings of superbpe's first stage; these settings for another algorithm."""
        if self.algorithm != "superbpe":
            return self
        first = {"algorithm": "bpe", "pretokenizer": "o200k", "vocab_size": self.superbpe.first_size(self.vocab_size)}
        return self.model_copy(update=first)

    def resolved(self) -> tuple[str, tuple[str, ...], list[str]]:
        """Return pre-tokenizer, normalizers and special tokens, defaults applied. Raises RecipeError for a misfit."""
        pretokenizer, normalizers, tokens = DEFAULTS[self.algorithm]
        pretokenizer = self.pretokenizer or pretokenizer
        normalizers = normalizers if self.normalizers is None else tuple(self.normalizers)
        special = [*tokens] if self.special_tokens is None else self.special_tokens
        pretokenizers.check_pretokenizer(pretokenizer)
        check_normalizers(normalizers)
        if self.algorithm == "unigram" and (pretokenizer != "metaspace" or "escape" not in normalizers):
            raise RecipeError(
                "unigram splits text at ▁: it needs the pre-tokenizer metaspace and the normalizer escape"
            )
        if self.user_symbols and not self.is_sentencepiece:
            raise RecipeError(
                "user symbols need unigram, or bpe with bpe.alphabet characters and bpe.compat sentencepiece"
            )
        check_symbols(self.user_symbols, special)
        if self.algorithm == "superbpe" and (pretokenizer != "superwords" or self.bpe.alphabet != "bytes"):
            raise RecipeError("superbpe needs the pre-tokenizer superwords and bpe.alphabet bytes")
        if self.parity.column and (self.algorithm, self.bpe.alphabet) != ("bpe", "bytes"):
            raise RecipeError("parity needs the algorithm bpe and bpe.alphabet bytes")
        return pretokenizer, normalizers, special


def train(
    counts: WordCounts,
    settings: TokenizerSettings,
    report: Report = lambda line: None,
    superwords: Iterable[WordCounts] = (),
) -> Model:
    """Return the tokenizer for the words of a corpus, counted as ``count_settings`` says; it depends on nothing else.

    ``superbpe`` needs tables of ``superwords`` too, counted as ``superword_settings`` says and iterated several times.

    Raises InputError for no words, RecipeError for a vocabulary that the corpus cannot give or that has no room.
    """
    if not counts.words.rows:
        raise InputError("the corpus has no words to train on; check its documents and the pre-tokenizer")
    _, _, special = settings.resolved()
    if settings.algorithm == "superbpe":
        first, progress = train(counts, settings.first_stage(), report), _report_merges(report)
        least = settings.bpe.min_frequency
        return join_words(first, superwords, settings.vocab_size, settings.superbpe, progress, least)
    for i, token in enumerate(special):
        if token in special[:i] or not token:
            raise RecipeError(f"special token {token!r} is empty or named twice; give each token a text of its own")
    return TRAINERS[settings.algorithm](counts, settings, special, report)


def train_parity(
    languages: list[LanguageCounts], settings: TokenizerSettings, report: Report = lambda line: None
) -> Model:
    """Return the BPE tokenizer that balances languages: ``parity.global_share`` of its merges come from all at once.

    Raises as ``train``, and RecipeError for over MOST_LANGUAGES languages.
    """
    if len(languages) > MOST_LANGUAGES:
        column, found = settings.parity.column, f"{len(languages):,} values, at most {MOST_LANGUAGES:,}"
        raise RecipeError(f"the column {column!r} has {found} can be balanced; name a column of languages")
    _, _, special = settings.resolved()
    least = len(BYTES) + len(special)
    first = least + round(settings.parity.global_share * max(settings.vocab_size - least, 0))
    model = train(merge(each.counts for each in languages), settings.model_copy(update={"vocab_size": first}), report)
    limits, progress = (settings.bpe.min_frequency, settings.bpe.max_token_length), _report_merges(report)
    return balance_languages(model, languages, settings.vocab_size, *limits, progress)


def _report_merges(report: Report) -> Callable[[int, int], None]:
    return lambda made, wanted: report(f"{made:,} of {wanted:,} merges")


def _train_bpe(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    bpe = settings.bpe
    characters = bpe.alphabet == "characters"
    if characters and bpe.compat == "sentencepiece":
        return _train_by_piece(counts, settings, special, report)
    if characters and not bpe.byte_fallback and not {*special} & {*ROLE_NAMES["unknown"]}:
        special = ["<unk>", *special]
    bpe = bpe.model_copy(update={"vocab_size": settings.vocab_size, "special_tokens": special})
    trained = train_bpe(counts, bpe, _report_merges(report))
    first = trained.pieces.index(b"\0") if characters and bpe.byte_fallback else None
    merges = np.column_stack([trained.merges, trained.made]).astype(np.int32)
    return _model(settings, trained.pieces, special, merges=merges, alphabet=bpe.alphabet, bytes_from=first)


def _train_by_piece(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    """Train BPE as SentencePiece does: special tokens, bytes, then pieces of falling score, merges before characters.

    No piece mixes scripts, nor numbers with letters: SentencePiece's defaults split_by_unicode_script and
    split_by_number.
    """
    bpe, fixed = settings.bpe, [token.encode() for token in special]
    if not {*special} & {*ROLE_NAMES["unknown"]}:
        fixed = [b"<unk>", *fixed]
    special = [token.decode() for token in fixed]
    fixed += [symbol.encode() for symbol in settings.user_symbols]
    fixed += BYTES if bpe.byte_fallback else []
    room = _room(settings, len(fixed))
    plain = bpe.model_copy(update={"vocab_size": room, "special_tokens": [], "byte_fallback": False})
    trained = train_bpe(WordCounts(*split_scripts(*counts)), plain, _report_merges(report))
    made = [trained.pieces[id] for id in trained.made.tolist()]
    single = trained.pieces[: len(trained.pieces) - len(made)]
    scores = np.concatenate((np.full(len(fixed), np.nan), -np.arange(len(trained.pieces)))).astype(np.float32)
    first = len(special) + len(settings.user_symbols) if bpe.byte_fallback else None
    more = {"scores": scores, "by_piece": True, "bytes_from": first, "alphabet": "characters"}
    return _model(settings, fixed + made + single, special, **more)


def _train_wordpiece(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    wanted = settings.wordpiece
    pieces = train_wordpiece(counts, wanted, settings.vocab_size, special, _report_merges(report))
    more = {"prefix": wanted.prefix, "max_input_chars_per_word": wanted.max_input_chars_per_word}
    return _model(settings, pieces, special, alphabet="characters", **more)


def _train_words(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    """Take the most frequent words, of equal ones those with smaller bytes; other words become bytes."""
    room = _room(settings, len(special) + len(BYTES))
    sizes = np.diff(counts.words.offsets)
    order = np.flatnonzero(sizes > 1)
    order = order[np.argsort(-counts.counts[order], kind="stable")][:room]
    words = [counts.words.row(row) for row in order.tolist()]
    return _model(settings, [*map(str.encode, special), *BYTES, *words], special, ignore_merges=True)


def _train_chars(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    """Take the most frequent characters, by code point; other characters become bytes."""
    room = _room(settings, len(special) + len(BYTES))
    frequency = count_characters(*counts)
    codes = np.flatnonzero(frequency)
    kept = np.sort(codes[np.argsort(-frequency[codes], kind="stable")[:room]])
    pieces = [*map(str.encode, special), *BYTES, *(chr(code).encode() for code in kept)]
    return _model(settings, pieces, special, alphabet="characters", bytes_from=len(special))


def _train_unigram(counts: WordCounts, settings: TokenizerSettings, special: list[str], report: Report) -> Model:
    wanted = settings.unigram
    fixed = [token.encode() for token in (*special, *settings.user_symbols)]
    fixed += BYTES if wanted.byte_fallback else []
    room = _room(settings, len(fixed))
    counted, as_sentencepiece = counts, wanted.seed_method == "sentencepiece"
    counts = WordCounts(*unmark_words(*counts)) if as_sentencepiece else counts
    must = required(counts, wanted)
    kept = {must.row(row).decode() for row in range(must.rows)}
    limits = wanted.seed_size, wanted.max_piece_length
    found = seeds(*counted, *limits, wanted.split_digits, kept, as_sentencepiece)
    factor, rounds = wanted.shrinking_factor, wanted.em_iterations
    trained = train_unigram(*counts, *found, room, must, shrinking_factor=factor, em_iterations=rounds, report=report)
    scores = np.concatenate((np.full(len(fixed), np.nan), trained.scores)).astype(np.float32)
    first = len(special) + len(settings.user_symbols) if wanted.byte_fallback else None
    return _model(settings, fixed + trained.pieces, special, scores=scores, alphabet="characters", bytes_from=first)


def required(counts: WordCounts, settings: UnigramSettings) -> Ragged:
    """Return the characters that must be pieces, the most frequent first: by coverage, ASCII and required_chars."""
    found, weights = characters(*counts)
    often = {found.row(row).decode(): int(weight) for row, weight in enumerate(weights)}
    order = sorted(often, key=lambda c: (-often[c], c))
    total, covered, kept = sum(often.values()), 0.0, []
    for character in order:
        always = " " <= character <= "~" or character == "▁" or character in settings.required_chars
        if always or covered < settings.character_coverage * total:
            kept.append(character)
        covered += often[character]
    return Ragged.from_strings(kept)


def _room(settings: TokenizerSettings, taken: int) -> int:
    """Return the number of pieces that fit besides those ``taken``. Raises RecipeError for none."""
    if settings.vocab_size <= taken:
        raise RecipeError(
            f"vocab_size {settings.vocab_size:,} has no room besides {taken:,} special tokens and bytes; raise it"
        )
    return settings.vocab_size - taken


def _model(settings: TokenizerSettings, pieces: list[bytes], tokens: list[str], **more) -> Model:
    pretokenizer, normalizers, _ = settings.resolved()
    special = {token: pieces.index(token.encode()) for token in tokens}
    for role, token in settings.roles.items():
        if token not in special:
            raise RecipeError(f"roles.{role} = {token!r} is not a special token; name it with --special too")
    roles = known_roles(special) | settings.roles
    user_symbols = tuple(range(len(special), len(special) + len(settings.user_symbols)))  # after special tokens
    more |= {"normalizers": normalizers, "special": special, "roles": roles, "user_symbols": user_symbols}
    return Model(settings.algorithm, pretokenizer, pieces, **more)


TRAINERS: dict[str, Callable[[WordCounts, TokenizerSettings, list[str], Report], Model]] = {
    "bpe": _train_bpe,
    "wordpiece": _train_wordpiece,
    "words": _train_words,
    "chars": _train_chars,
    "unigram": _train_unigram,
}
