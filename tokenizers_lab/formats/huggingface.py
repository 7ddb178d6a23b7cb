"""Write tokenizer.json, the file of ``tokenizers`` and ``transformers``.

A byte-level piece has one character per byte there: printable Latin-1 bytes stand for themselves, the others for the
characters from U+0100 on.
"""

import base64
from typing import Any

import numpy as np
import orjson

from gristmill.pipelines.errors import RecipeError
from gristmill.tokenizers_lab.formats.model import Model
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
