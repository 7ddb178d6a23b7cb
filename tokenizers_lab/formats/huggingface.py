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
    **{prefix + form: {"type": form.upper()} for form in ("nfc", "nfd", "nfkc", "nfkd") for prefix in ("", "hf_")},
    "lower": {"type": "Lowercase"},
    "hf_lower": {"type": "Lowercase"},
    "strip_accents": {"type": "StripAccents"},
}
GPT2_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
BYTE_LEVEL = GPT2_BYTE_LEVEL | {"use_regex": False}
MARK = "▁"
SPACES: dict[str, dict[str, Any]] = {
    "prefix": {"type": "Prepend", "prepend": MARK},
    "escape": {"type": "Replace", "pattern": {"String": " "}, "content": MARK},
}
PREFIXES = {"always": ("prefix_once",), "first": ("prefix_first",), "never": ()}  # of Metaspace
STEPS: dict[str, dict[str, Any]] = {
    "digits": {"type": "Digits", "individual_digits": False},
    "each_digit": {"type": "Digits", "individual_digits": True},
    "punctuation": {"type": "Punctuation", "behavior": "Contiguous"},
    "each_punctuation": {"type": "Punctuation", "behavior": "Isolated"},
    "byte_digits": {"type": "Digits", "individual_digits": False},  # after ByteLevel
}
FALLBACK_DECODER = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": MARK}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ],
}


def to_huggingface(model: Model) -> bytes:
    """Return the file's bytes. Raises RecipeError for a model that the format cannot express."""
    if model.algorithm == "tokenizers":
        return model.original
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
    tokens = sorted(model.added_tokens, key=lambda token: token.id)
    return [token._asdict() | {"single_word": False} for token in tokens]


def _normalizer(model: Model) -> dict | None:
    steps = []
    for name in model.normalizers:
        if name not in NORMALIZERS:
            raise RecipeError(f"tokenizer.json has no normalizer {name!r} (supported: {', '.join(NORMALIZERS)})")
        steps.append(NORMALIZERS[name])
    return {"type": "Sequence", "normalizers": steps} if steps else None


def _pre_tokenizers(pretokenizer: str, prefix: bool) -> list[dict]:
    """Return the pre-tokenizers of the file that split as ours does; ``prefix`` adds a space before text."""
    if split := RegexSplit.of(pretokenizer):
        return [isolated(split.pattern), BYTE_LEVEL | {"add_prefix_space": prefix}]
    steps: list[dict] = []
    of_bytes = False
    for name in pretokenizer.split(">"):
        if name in ("gpt2", "none"):
            steps.append((GPT2_BYTE_LEVEL if name == "gpt2" else BYTE_LEVEL) | {"add_prefix_space": prefix})
            of_bytes = True
        elif name in STEPS:
            if name == "byte_digits" and not of_bytes:
                steps.append(BYTE_LEVEL | {"add_prefix_space": prefix})
                of_bytes = True
            steps.append(STEPS[name])
        elif name in PATTERNS:
            steps += map(isolated, PATTERNS[name])
        else:
            known = ", ".join((*PATTERNS, *STEPS))
            raise RecipeError(f"tokenizer.json has no pre-tokenizer {name!r} over bytes (supported: {known})")
    if prefix and steps[0]["type"] != "ByteLevel":
        raise RecipeError("tokenizer.json adds a space before text only if ByteLevel is its first pre-tokenizer")
    return steps if of_bytes else [*steps, BYTE_LEVEL]


def isolated(pattern: str) -> dict:
    """Return the pre-tokenizer that splits at each match."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _byte_level(model: Model) -> dict:
    """Return BPE over bytes; ``words`` is a vocabulary of whole pre-tokens without merges."""
    taken = model.special_ids
    names = [p.decode() if id in taken else "".join(CHARACTER[b] for b in p) for id, p in enumerate(model.pieces)]
    inside = {
        **{"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None},
        **{"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": model.ignore_merges},
        "vocab": {name: id for id, name in enumerate(names) if name},
        "merges": [[names[left], names[right]] for left, right, _ in model.merges.tolist()],
    }
    if {*model.part_normalizers} - {"prefix_once"}:
        raise RecipeError(f"tokenizer.json has no {', '.join(model.part_normalizers)} over bytes")
    steps = _pre_tokenizers(model.pretokenizer, bool(model.part_normalizers))
    cut = steps[0] if len(steps) == 1 else {"type": "Sequence", "pretokenizers": steps}
    return {"normalizer": _normalizer(model), "pre_tokenizer": cut, "decoder": BYTE_LEVEL, "model": inside}


def _bpe(model: Model) -> dict:
    if model.alphabet == "bytes":
        return _byte_level(model)
    if model.by_piece or model.bytes_from is None:
        raise RecipeError(
            "tokenizer.json holds BPE over characters only with a list of merges, and bytes for unknown characters; "
            "export with --format sentencepiece"
        )
    spaces = tuple(name for name in model.normalizers if name in ("prefix", "escape"))
    if spaces != model.normalizers or model.pretokenizer not in ("none", "mark_runs", "metaspace"):
        raise RecipeError("tokenizer.json holds BPE over characters only with text whose spaces are ▁")
    names = [f"<0x{p[0]:02X}>" if model.is_byte(id) else p.decode() for id, p in enumerate(model.pieces)]
    schemes = [scheme for scheme, prefix in PREFIXES.items() if (*prefix, "escape") == model.part_normalizers]
    space = {"type": "Metaspace", "replacement": MARK, "split": model.pretokenizer == "metaspace"}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [SPACES[name] for name in spaces]} if spaces else None,
        "pre_tokenizer": space | {"prepend_scheme": schemes[0]} if schemes else None,
        "decoder": FALLBACK_DECODER,
        "model": {
            **{"type": "BPE", "dropout": None, "unk_token": model.roles.get("unknown"), "fuse_unk": True},
            **{"continuing_subword_prefix": None, "end_of_word_suffix": None, "byte_fallback": True},
            "ignore_merges": model.ignore_merges,
            "vocab": {name: id for id, name in enumerate(names) if name},
            "merges": [[names[left], names[right]] for left, right, _ in model.merges.tolist()],
        },
    }


def _wordpiece(model: Model) -> dict:
    """Return WordPiece with BERT's normalizer and pre-tokenizer."""
    names = {name.removeprefix("hf_").removeprefix("bert_") for name in model.normalizers}
    if model.pretokenizer != "bert" or names - {"clean", "lower", "strip_accents"}:
        raise RecipeError("tokenizer.json holds WordPiece only with the pre-tokenizer bert and BERT's own normalizers")
    clean, lower, strip = (name in names for name in ("clean", "lower", "strip_accents"))
    bert: dict[str, Any] = {"type": "BertNormalizer", "clean_text": clean, "handle_chinese_chars": True}
    return {
        "normalizer": bert | {"strip_accents": strip, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": model.prefix, "cleanup": False},
        "model": {
            **{"type": "WordPiece", "unk_token": model.roles["unknown"], "continuing_subword_prefix": model.prefix},
            "max_input_chars_per_word": model.max_input_chars_per_word,
            "vocab": {piece.decode(): id for id, piece in enumerate(model.pieces) if piece},
        },
    }


def _unigram(model: Model) -> dict:
    """Return a unigram model with SentencePiece's character map, and ▁ for spaces."""
    if model.part_normalizers or model.added or "charsmap" in model.normalizers:
        raise RecipeError(
            "tokenizer.json is not written for unigram with such tokens or character map; copy the original"
        )
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
    if "prefix" in model.normalizers:
        steps += [SPACES["prefix"], SPACES["escape"]]  # Metaspace would not put ▁ before ▁
    space: dict[str, Any] = {"type": "Metaspace", "replacement": MARK, "prepend_scheme": "never", "split": True}
    spaces = space | {"prepend_scheme": "always" if "prefix" in model.normalizers else "never"}  # drops the first
    least = float(np.nanmin(model.scores))
    named = [b"<0x%02X>" % p[0] if model.is_byte(id) else p for id, p in enumerate(model.pieces)]
    scores = [least - 10.0 if np.isnan(score) else float(score) for score in model.scores]
    fallback = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, spaces]}
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps} if steps else None,
        "pre_tokenizer": space,
        "decoder": fallback if model.bytes_from is not None else spaces,
        "model": {
            **{"type": "Unigram", "unk_id": model.role("unknown"), "byte_fallback": model.bytes_from is not None},
            "vocab": [[piece.decode(), score] for piece, score in zip(named, scores, strict=True)],
        },
    }


WRITERS = {"bpe": _bpe, "words": _byte_level, "wordpiece": _wordpiece, "unigram": _unigram}
