"""vocab.txt, the vocabulary of BERT: a WordPiece per line, whose id is its line."""

import orjson
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.tokenizers_lab.formats.huggingface_read import read_huggingface
from gristmill.tokenizers_lab.formats.reading import Reading

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FLAGS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}


def read_vocab_txt(data: bytes, config: UPath) -> Reading:
    """Return BERT's tokenizer with that vocabulary. Raises InputError for a file without [UNK], or damaged.

    ``config`` is the file that tells whether text becomes lower case. If there is none, it does unless a piece has a
    capital.
    """
    try:
        pieces = [line.rstrip() for line in data.decode().removesuffix("\n").split("\n")]
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8; expected a vocab.txt with a piece per line") from None
    if "[UNK]" not in pieces:
        raise InputError("the file has no line [UNK]; expected a vocab.txt of BERT")
    if len({*pieces}) < len(pieces):
        twice = next(piece for n, piece in enumerate(pieces) if piece in pieces[:n])
        raise InputError(f"the piece {twice!r} has two lines; expected each once")
    told = _settings(config)
    lower = told.get("do_lower_case", not any(piece != piece.lower() for piece in pieces if piece not in SPECIAL))
    table = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": pieces.index(t), "content": t, **FLAGS} for t in SPECIAL if t in pieces],
        "normalizer": {
            **{"type": "BertNormalizer", "clean_text": True, "lowercase": bool(lower)},
            "handle_chinese_chars": told.get("tokenize_chinese_chars", True) is not False,
            "strip_accents": told.get("strip_accents"),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
        "model": {
            **{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##"},
            "max_input_chars_per_word": 100,
            "vocab": {piece: id for id, piece in enumerate(pieces)},
        },
    }
    found = read_huggingface(orjson.dumps(table))
    how = f"text {'becomes' if lower else 'does not become'} lower case"
    return (
        found if "do_lower_case" in told else found._replace(notes=(*found.notes, f"vocab.txt does not tell, so {how}"))
    )


def _settings(config: UPath) -> dict:
    try:
        table = orjson.loads(config.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return table if isinstance(table, dict) else {}
