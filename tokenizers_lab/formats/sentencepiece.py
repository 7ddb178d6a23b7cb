"""SentencePiece's ``.model``: unigram, and BPE over characters that merges by piece and score.

Field numbers are those of sentencepiece_model.proto (google/sentencepiece, 0.2.3). BPE over bytes and other
pre-tokenizers than metaspace are refused, since the format cannot express them.
"""

from functools import partial
from typing import Any

import numpy as np

from gristmill.pipelines.errors import GristmillError, InputError, RecipeError
from gristmill.tokenizers_lab.encode.library import load_sentencepiece
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.formats.reading import Reading
from gristmill.tokenizers_lab.normalize.charsmap import charsmap
from gristmill.tokenizers_lab.normalize.protobuf import field, fields, message

PIECES, TRAINER, NORMALIZER = 1, 2, 3
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
UNIGRAM, BPE, WORD, CHAR = range(1, 5)
KINDS = {"unigram": UNIGRAM, "bpe": BPE}
RULES = ("nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf")  # rules of SentencePiece, besides "identity"
MARKER = "▁".encode()
IDS = {"unknown": (40, 45, "<unk>"), "bos": (41, 46, "<s>"), "eos": (42, 47, "</s>"), "pad": (43, 48, "<pad>")}


def to_sentencepiece(model: Model) -> bytes:
    """Return the file's bytes. Raises RecipeError for a model that the format cannot express."""
    if model.algorithm == "sentencepiece":
        return model.original
    if model.algorithm not in KINDS or model.alphabet != "characters" or model.pretokenizer != "metaspace":
        raise RecipeError(
            "a SentencePiece model holds unigram, or BPE with bpe.alphabet characters, and the pre-tokenizer metaspace"
        )
    if "escape" not in model.normalizers:
        raise RecipeError("a SentencePiece model writes spaces as ▁: train with the normalizer escape")
    if model.role("unknown") is None:
        raise RecipeError("a SentencePiece model needs a special token with the role unknown, such as <unk>")
    rules = [name for name in model.normalizers if name not in ("collapse", "prefix", "escape")]
    if model.part_normalizers or model.added:
        raise RecipeError("a SentencePiece model has no added tokens of tokenizers; export with --format hf")
    if [rule for rule in rules if rule not in (*RULES[:2], "charsmap")] or len(rules) > 1:
        raise RecipeError(
            f"a SentencePiece model has no normalizers {', '.join(rules)} (supported: {' or '.join(RULES[:2])})"
        )
    if model.algorithm == "bpe" and not (model.by_piece and model.scores.size):
        raise RecipeError("a SentencePiece model merges by piece and score: train with bpe.compat sentencepiece")
    parts = [field(PIECES, _piece(model, id)) for id in range(model.size)]
    trainer = field(3, KINDS[model.algorithm]) + field(4, model.size) + field(35, model.bytes_from is not None)
    for role, (id_field, name_field, name) in IDS.items():
        id = model.role(role)
        trainer += field(id_field, -1 if id is None else id) + field(name_field, model.roles.get(role, name))
    spaces = field(3, "prefix" in model.normalizers) + field(4, "collapse" in model.normalizers) + field(5, True)
    rule = rules[0] if rules else "identity"
    table = model.charsmap if rule == "charsmap" else charsmap(rule)
    normalizer = field(1, rule) + field(2, table) + spaces
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
    """Return the Model of a file. Raises InputError for a file that is damaged or not supported."""
    pieces: list[bytes] = []
    scores: list[float] = []
    kinds: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in fields(data):
        if number == PIECES:
            entry = message(value, {1: bytes, 2: float, 3: int})
            pieces.append(entry.get(1, b""))
            scores.append(entry.get(2, 0.0))
            kinds.append(entry.get(3, NORMAL))
        elif number == TRAINER:
            trainer = message(value, dict.fromkeys((3, 24, *(id for id, _, _ in IDS.values())), int))
        elif number == NORMALIZER:
            normalizer = message(value, {1: bytes, 2: bytes, 3: int, 4: int, 5: int})
    if not pieces:
        raise InputError("the file holds no pieces; expected a SentencePiece model")
    kind = {number: name for name, number in KINDS.items()}.get(trainer.get(3, UNIGRAM))
    if kind is None:
        raise InputError("the model is of words or characters; expected unigram or BPE")
    symbols = tuple(id for id, kind_of in enumerate(kinds) if kind_of == USER_DEFINED)
    names = _normalizers(normalizer)
    plain = names in (("escape",), ("prefix", "escape"))
    if odd := [pieces[id] for id in symbols if b" " in pieces[id] or (MARKER in pieces[id] and not plain)]:
        raise InputError(f"user-defined symbols with spaces, such as {_text(odd[0])!r}, are not supported")
    if trainer.get(24):
        raise InputError("models that write spaces after words (treat_whitespace_as_suffix) are not supported")
    where = [id for id, kind_of in enumerate(kinds) if kind_of == BYTE]
    if where and (len(where) != 256 or where != [*range(where[0], where[0] + 256)]):
        raise InputError("the byte pieces are not 256 consecutive ids")
    for byte, id in enumerate(where):
        if pieces[id] != b"<0x%02X>" % byte:
            raise InputError(f"byte piece {id:,} is {pieces[id]!r}, expected <0x{byte:02X}>")
        pieces[id] = bytes([byte])
    special = {_text(pieces[id]): id for id, kind_of in enumerate(kinds) if kind_of in (UNKNOWN, CONTROL, UNUSED)}
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
        normalizers=names,
        charsmap=normalizer.get(2, b"") if "charsmap" in names else b"",
        user_symbols=symbols,
    )


def _own(rule: str) -> bytes | None:
    """Return the map of the installed SentencePiece; None if it is not installed."""
    try:
        return charsmap(rule)
    except ModuleNotFoundError:
        return None


def read_sentencepiece(data: bytes) -> Reading:
    """Return the tokenizer of a file. Raises InputError if it is damaged, or neither ours nor the library's."""
    in_library = partial(library_model, data)
    try:
        return Reading(from_sentencepiece(data), "sentencepiece", data, in_library=in_library)
    except InputError as error:
        try:
            return Reading(in_library(), "sentencepiece", data, str(error))
        except GristmillError:
            raise error from None


def library_model(data: bytes) -> Model:
    """Return the Model that runs in SentencePiece."""
    theirs = load_sentencepiece(data)
    size, special = theirs.get_piece_size(), {}
    pieces = [theirs.id_to_piece(id).replace("▁", " ").encode() for id in range(size)]
    for id in range(size):
        if theirs.is_byte(id):
            pieces[id] = bytes([int(theirs.id_to_piece(id)[3:5], 16)])
        elif theirs.is_control(id) or theirs.is_unknown(id) or theirs.is_unused(id):
            special[theirs.id_to_piece(id)] = id
    ids = {"unknown": theirs.unk_id(), "bos": theirs.bos_id(), "eos": theirs.eos_id(), "pad": theirs.pad_id()}
    roles = {role: theirs.id_to_piece(id) for role, id in ids.items() if id >= 0}
    return Model("sentencepiece", "none", pieces, special=special, roles=roles, original=data)


def _text(data: bytes) -> str:
    """Decode a name. Raises InputError if it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{data[:60]!r} names a special token, symbol or rule, but is not UTF-8") from None


def _roles(trainer: dict, special: dict[str, int], kinds: list[int]) -> dict[str, str]:
    names = {id: token for token, id in special.items()}
    roles = {"unknown": names[kinds.index(UNKNOWN)]} if UNKNOWN in kinds else {}
    for role, default in (("bos", 1), ("eos", 2), ("pad", -1)):
        id = trainer.get(IDS[role][0], default)
        if id in names:
            roles[role] = names[id]
    return roles


def _normalizers(spec: dict) -> tuple[str, ...]:
    rule, names = _text(spec.get(1, b"")), []
    if spec.get(2):
        names.append(rule if rule in RULES[:2] and spec[2] == _own(rule) else "charsmap")
    if not spec.get(5, 1):
        raise InputError("models that do not write spaces as ▁ are not supported")
    return (*names, *(["collapse"] if spec.get(4, 1) else []), *(["prefix"] if spec.get(3, 1) else []), "escape")
