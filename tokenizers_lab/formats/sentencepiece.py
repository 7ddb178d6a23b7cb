"""SentencePiece's ``.model``: unigram, and BPE over characters that merges by piece and score.

The numbers of fields are those of sentencepiece_model.proto (google/sentencepiece, 0.2.3). What cannot be said there
(BPE over bytes, other pretokenizers) is refused.
"""

import re
import struct

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.normalize.charsmap import charsmap
from gristmill.tokenizers_lab.normalize.protobuf import field, fields

PIECES, TRAINER, NORMALIZER = 1, 2, 3
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE, WORD, CHAR = range(1, 5)
KINDS = {"unigram": UNIGRAM, "bpe": BPE}
RULES = ("nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf")  # those of SentencePiece; "identity" where there is none
IDS = {"unknown": (40, 45, "<unk>"), "bos": (41, 46, "<s>"), "eos": (42, 47, "</s>"), "pad": (43, 48, "<pad>")}


def to_sentencepiece(model: Model) -> bytes:
    """The file's bytes. Raises RecipeError for what the format has no words for."""
    if model.algorithm not in KINDS or model.alphabet != "characters" or model.pretokenizer != "metaspace":
        raise RecipeError(
            "a SentencePiece model holds unigram, or BPE over characters (bpe.alphabet), with the pretokenizer metaspace"
        )
    if "escape" not in model.normalizers:
        raise RecipeError("a SentencePiece model writes spaces as ▁: train with the normalizer escape")
    if model.role("unknown") is None:
        raise RecipeError("a SentencePiece model needs a special token with the role unknown, such as <unk>")
    rules = [name for name in model.normalizers if name not in ("collapse", "prefix", "escape")]
    if [rule for rule in rules if rule not in RULES[:2]] or len(rules) > 1:
        raise RecipeError(f"a SentencePiece model has no form for the normalizers {', '.join(rules)}")
    if model.algorithm == "bpe" and not (model.by_piece and model.scores.size):
        raise RecipeError("a SentencePiece model merges by piece and score: train with bpe.compat sentencepiece")
    parts = [field(PIECES, _piece(model, id)) for id in range(model.size)]
    trainer = field(3, KINDS[model.algorithm]) + field(4, model.size) + field(35, model.bytes_from is not None)
    for role, (id_field, name_field, name) in IDS.items():
        id = model.role(role)
        trainer += field(id_field, -1 if id is None else id) + field(name_field, model.roles.get(role, name))
    spaces = field(3, "prefix" in model.normalizers) + field(4, "collapse" in model.normalizers) + field(5, True)
    rule = rules[0] if rules else "identity"
    normalizer = field(1, rule) + field(2, charsmap(rule)) + spaces
    return b"".join(parts) + field(TRAINER, trainer) + field(NORMALIZER, normalizer)


def _piece(model: Model, id: int) -> bytes:
    text, score, kind = model.pieces[id], 0.0, NORMAL
    if id in model.special_ids:
        kind = UNKNOWN if id == model.role("unknown") else CONTROL
    elif id in model.user_symbols:
        kind = USER_DEFINED
    elif model.is_byte(id):
        text, kind = b"<0x%02X>" % text[0], BYTE
    else:
        score = float(model.scores[id])
    return field(1, text) + field(2, score) + field(3, kind)


def from_sentencepiece(data: bytes) -> Model:
    """A Model of the file. Raises InputError for damage, and for what we have no form for."""
    pieces, scores, kinds, trainer, normalizer = [], [], [], {}, {}
    for number, value in fields(data):
        if number == PIECES:
            told = dict(fields(value))
            pieces.append(told.get(1, b""))
            scores.append(struct.unpack("<f", told.get(2, bytes(4)))[0])
            kinds.append(told.get(3, NORMAL))
        elif number == TRAINER:
            trainer = dict(fields(value))
        elif number == NORMALIZER:
            normalizer = dict(fields(value))
    if not pieces:
        raise InputError("it holds no pieces: this is no SentencePiece model")
    kind = {number: name for name, number in KINDS.items()}.get(trainer.get(3, UNIGRAM))
    if kind is None:
        raise InputError("SentencePiece models of words or characters are not read; unigram and BPE are")
    symbols = tuple(id for id, kind_of in enumerate(kinds) if kind_of == USER_DEFINED)
    if spaced := [pieces[id].decode() for id in symbols if b" " in pieces[id] or "▁".encode() in pieces[id]]:
        raise InputError(f"user-defined symbols with spaces, such as {spaced[0]!r}, are not read")
    if trainer.get(24):
        raise InputError("models that write spaces behind words (treat_whitespace_as_suffix) are not read")
    where = [id for id, kind_of in enumerate(kinds) if kind_of == BYTE]
    if where and (len(where) != 256 or where != [*range(where[0], where[0] + 256)]):
        raise InputError("its byte pieces are not 256 in a row")
    for id in where:
        pieces[id] = bytes([int(re.fullmatch(rb"<0x([0-9A-F]{2})>", pieces[id])[1], 16)])
    special = {pieces[id].decode(): id for id, kind_of in enumerate(kinds) if kind_of in (UNKNOWN, CONTROL, UNUSED)}
    return Model(
        algorithm=kind,
        pretokenizer="metaspace",
        pieces=pieces,
        scores=np.array([s if k == NORMAL else np.nan for s, k in zip(scores, kinds, strict=True)], np.float32),
        special=special,
        roles=_roles(trainer, special, kinds),
        alphabet="characters",
        bytes_from=where[0] if where else None,
        by_piece=kind == "bpe",
        normalizers=_normalizers(normalizer),
        user_symbols=symbols,
    )


def _roles(trainer: dict, special: dict[str, int], kinds: list[int]) -> dict[str, str]:
    names = {id: token for token, id in special.items()}
    roles = {"unknown": names[kinds.index(UNKNOWN)]} if UNKNOWN in kinds else {}
    for role, default in (("bos", 1), ("eos", 2), ("pad", -1)):
        id = trainer.get(IDS[role][0], default)
        if id in names:
            roles[role] = names[id]
    return roles


def _normalizers(told: dict) -> tuple[str, ...]:
    rule, names = told.get(1, b"").decode(), []
    if told.get(2):
        if rule not in RULES[:2] or told[2] != charsmap(rule):
            raise InputError(f"its table of characters {rule!r} is none of SentencePiece's nmt_nfkc and nmt_nfkc_cf")
        names.append(rule)
    if not told.get(5, 1):
        raise InputError("models that do not write spaces as ▁ are not read")
    return (*names, *(["collapse"] if told.get(4, 1) else []), *(["prefix"] if told.get(3, 1) else []), "escape")
