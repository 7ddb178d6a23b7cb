"""tokenizer.json, the file of ``tokenizers`` and ``transformers``: from a Model and to one.

A byte-level piece has one character per byte there: printable Latin-1 bytes stand for themselves, the others for the
characters from U+0100 on.
"""

import base64
from typing import Any

import numpy as np
import orjson
from pydantic import ConfigDict

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.settings import Settings, read_settings, shown
from gristmill.tokenizers_lab.formats.model import Model, known_roles
from gristmill.tokenizers_lab.normalize.charsmap import charsmap
from gristmill.tokenizers_lab.pretokenize import PATTERNS, RegexSplit

PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
CHARACTER = {b: chr(b) for b in PRINTABLE} | {
    b: chr(0x100 + i) for i, b in enumerate(b for b in range(256) if b not in PRINTABLE)
}
BYTE = {character: byte for byte, character in CHARACTER.items()}
NORMALIZERS = {
    **{form: {"type": form.upper()} for form in ("nfc", "nfd", "nfkc", "nfkd")},
    "lower": {"type": "Lowercase"},
    "strip_accents": {"type": "StripAccents"},
}
GPT2_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
BYTE_LEVEL = GPT2_BYTE_LEVEL | {"use_regex": False}
MARK = "▁"


def to_huggingface(model: Model) -> bytes:
    """Return the file's bytes. Raises RecipeError for a model that the format cannot express."""
    if model.algorithm not in WRITERS:
        raise RecipeError(f"tokenizer.json has no model {model.algorithm!r} (supported: {', '.join(WRITERS)})")
    if model.user_symbols:
        raise RecipeError("tokenizer.json has no user symbols; export with --format sentencepiece")
    table = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(model),
        "post_processor": None,
    }
    return orjson.dumps(table | WRITERS[model.algorithm](model), option=orjson.OPT_INDENT_2)


def _added(model: Model) -> list[dict]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return [{"id": id, "content": token, **flags} for token, id in sorted(model.special.items(), key=lambda x: x[1])]


def _normalizer(model: Model) -> dict | None:
    steps = []
    for name in model.normalizers:
        if name not in NORMALIZERS:
            raise RecipeError(f"tokenizer.json has no normalizer {name!r} (supported: {', '.join(NORMALIZERS)})")
        steps.append(NORMALIZERS[name])
    return {"type": "Sequence", "normalizers": steps} if steps else None


def _pre_tokenizers(pretokenizer: str) -> list[dict]:
    """Return the pre-tokenizers of the file that split as ours does."""
    if pretokenizer == "gpt2":
        return [GPT2_BYTE_LEVEL]
    if pretokenizer == "none":
        return [BYTE_LEVEL]
    patterns = (split.pattern,) if (split := RegexSplit.of(pretokenizer)) else PATTERNS.get(pretokenizer)
    if patterns is None:
        raise RecipeError(
            f"tokenizer.json has no pre-tokenizer {pretokenizer!r} over bytes (supported: {', '.join(PATTERNS)})"
        )
    isolated = [{"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False} for p in patterns]
    return [*isolated, BYTE_LEVEL]


def _byte_level(model: Model) -> dict:
    """Return BPE over bytes; ``words`` is a vocabulary of whole pre-tokens without merges."""
    taken = {*model.special.values()}
    names = [p.decode() if id in taken else "".join(CHARACTER[b] for b in p) for id, p in enumerate(model.pieces)]
    inside = {
        **{"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None},
        **{"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": model.ignore_merges},
        "vocab": {name: id for id, name in enumerate(names)},
        "merges": [[names[left], names[right]] for left, right, _ in model.merges.tolist()],
    }
    steps = _pre_tokenizers(model.pretokenizer)
    cut = steps[0] if len(steps) == 1 else {"type": "Sequence", "pretokenizers": steps}
    return {"normalizer": _normalizer(model), "pre_tokenizer": cut, "decoder": BYTE_LEVEL, "model": inside}


def _bpe(model: Model) -> dict:
    if model.alphabet == "bytes":
        return _byte_level(model)
    raise RecipeError(
        "tokenizer.json holds BPE over bytes only; export BPE over characters with --format sentencepiece"
    )


def _wordpiece(model: Model) -> dict:
    """Return WordPiece with BERT's normalizer and pre-tokenizer."""
    if model.pretokenizer != "bert" or set(model.normalizers) - {"bert_clean", "lower", "strip_accents"}:
        raise RecipeError("tokenizer.json holds WordPiece only with the pre-tokenizer bert and BERT's own normalizers")
    clean, lower, strip = (name in model.normalizers for name in ("bert_clean", "lower", "strip_accents"))
    bert: dict[str, Any] = {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": True}
    return {
        "normalizer": bert | {"strip_accents": strip, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": model.prefix, "cleanup": False},
        "model": {
            **{"type": "WordPiece", "unk_token": model.roles["unknown"], "continuing_subword_prefix": model.prefix},
            "max_input_chars_per_word": model.max_input_chars_per_word,
            "vocab": {piece.decode(): id for id, piece in enumerate(model.pieces)},
        },
    }


def _unigram(model: Model) -> dict:
    """Return a unigram model with SentencePiece's character map, and ▁ for spaces."""
    steps: list[dict[str, Any]] = []
    for name in model.normalizers:
        if name in ("nmt_nfkc", "nmt_nfkc_cf"):
            table = base64.b64encode(charsmap(name)).decode()
            steps.append({"type": "Precompiled", "precompiled_charsmap": table})
        elif name == "collapse":
            steps.append({"type": "Strip", "strip_left": True, "strip_right": True})
            steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
        elif name in NORMALIZERS:
            steps.append(NORMALIZERS[name])
    scheme = "always" if "prefix" in model.normalizers else "never"
    space: dict[str, Any] = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": True}
    least = float(np.nanmin(model.scores))
    named = [b"<0x%02X>" % p[0] if model.is_byte(id) else p for id, p in enumerate(model.pieces)]
    scores = [least - 10.0 if np.isnan(score) else float(score) for score in model.scores]
    fallback = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, space]}
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps} if steps else None,
        "pre_tokenizer": space,
        "decoder": fallback if model.bytes_from is not None else space,
        "model": {
            **{"type": "Unigram", "unk_id": model.role("unknown"), "byte_fallback": model.bytes_from is not None},
            "vocab": [[piece.decode(), score] for piece, score in zip(named, scores, strict=True)],
        },
    }


WRITERS = {"bpe": _bpe, "words": _byte_level, "wordpiece": _wordpiece, "unigram": _unigram}


class AddedToken(Settings):
    """Entry of ``added_tokens``."""

    model_config = ConfigDict(extra="ignore")

    id: int
    content: str


class Part(Settings):
    """Normalizer or pre-tokenizer, perhaps a sequence of others."""

    model_config = ConfigDict(extra="ignore")

    type: str
    pretokenizers: list["Part"] = []
    normalizers: list["Part"] = []
    add_prefix_space: bool | None = None
    use_regex: bool = True
    pattern: dict[str, str] = {}


class Bpe(Settings):
    """Model of type BPE."""

    model_config = ConfigDict(extra="ignore")

    vocab: dict[str, int]
    merges: list[str | list[str]] = []
    ignore_merges: bool | None = False


class HuggingFace(Settings):
    """File ``tokenizer.json``, as far as it is read."""

    model_config = ConfigDict(extra="ignore")

    model: Bpe
    added_tokens: list[AddedToken] | None = None
    pre_tokenizer: Part | None = None
    normalizer: Part | None = None


def from_huggingface(data: bytes) -> Model:
    """Return the byte-level BPE of a file. Raises InputError for a file that is damaged or not supported."""
    try:
        table = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the file is not a tokenizer.json ({error})") from None
    inside = table.get("model") if isinstance(table, dict) else None
    if not isinstance(inside, dict):
        raise InputError("the file is not a tokenizer.json: it has no model")
    if (kind := inside.get("type", "BPE")) != "BPE":
        raise InputError(f"tokenizer.json holds a model of type {shown(kind)}; expected BPE over bytes")
    file = read_settings(HuggingFace, table, "tokenizer.json")
    vocab = file.model.vocab
    added = {token.content: vocab.get(token.content, token.id) for token in file.added_tokens or []}
    ids = vocab | added
    if sorted(ids.values()) != [*range(len(ids))]:
        raise InputError(f"ids of the vocabulary have gaps; expected 0 to {len(ids) - 1:,}")
    spelled = {}
    for name, id in ids.items():
        try:
            spelled[id] = name.encode() if name in added else bytes(BYTE[character] for character in name)
        except KeyError as error:
            raise InputError(
                f"piece {shown(name)} contains {error}, which stands for no byte; expected BPE over bytes"
            ) from None
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in file.model.merges]
    try:
        made = [[vocab[left], vocab[right], vocab[left + right]] for left, right in pairs]
    except KeyError as error:
        raise InputError(f"a merge names {shown(error.args[0])}, which is not in the vocabulary") from None
    except ValueError:
        odd = next(pair for pair in pairs if len(pair) != 2)
        raise InputError(f"merge {shown(odd)} does not name two pieces") from None
    return Model(
        algorithm="bpe",
        pretokenizer=_pretokenizer_of(file.pre_tokenizer),
        pieces=[spelled[id] for id in range(len(ids))],
        merges=np.array(made, np.int32).reshape(-1, 3),
        special=added,
        ignore_merges=bool(file.model.ignore_merges),
        normalizers=_normalizers_of(file.normalizer),
        roles=known_roles(added),
    )


def _pretokenizer_of(cut: Part | None) -> str:
    steps = [] if cut is None else cut.pretokenizers if cut.type == "Sequence" else [cut]
    if not steps or steps[-1].type != "ByteLevel" or steps[-1].add_prefix_space:
        raise InputError("the pre-tokenizer does not end in ByteLevel without a prefix space; expected BPE over bytes")
    if steps[-1].use_regex:
        return "gpt2"
    patterns = tuple(step.pattern.get("Regex") for step in steps[:-1])
    if not patterns:
        return "none"
    for name, known in PATTERNS.items():
        if known == patterns:
            return name
    if len(patterns) == 1 and patterns[0]:
        return f"regex:{patterns[0]}"
    raise InputError(f"the pre-tokenizer is not supported: {shown([step.type for step in steps])} of {shown(patterns)}")


def _normalizers_of(normalizer: Part | None) -> tuple[str, ...]:
    steps = [] if normalizer is None else normalizer.normalizers if normalizer.type == "Sequence" else [normalizer]
    known = {entry["type"]: name for name, entry in NORMALIZERS.items()}
    for step in steps:
        if step.type not in known:
            raise InputError(f"the normalizer {shown(step.type)} is not supported (supported: {', '.join(known)})")
    return tuple(known[step.type] for step in steps)
