"""Read tokenizer.json: as a Model of ours if its every part has a form of ours, else as one that runs in `tokenizers`.

The file is read as the library understood it: what it loaded is written again, with every default filled in. So a key
that is missing, old or misspelled means here what it means there.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson

from gristmill.pipelines.errors import GristmillError, InputError, shown
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.library import load_tokenizers
from gristmill.tokenizers_lab.formats.huggingface import BYTE, MARK
from gristmill.tokenizers_lab.formats.huggingface_parts import (
    expect_keys,
    read_normalizers,
    read_pretokenizers,
)
from gristmill.tokenizers_lab.formats.model import Model, known_roles
from gristmill.tokenizers_lab.formats.parse import parse
from gristmill.tokenizers_lab.formats.reading import Reading, Unsupported
from gristmill.tokenizers_lab.pretokenize import pretokenize
from gristmill.tokenizers_lab.strings.added_tokens import AddedToken

TOP = "version truncation padding added_tokens normalizer pre_tokenizer post_processor decoder model"
BPE = "type dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk byte_fallback ignore_merges vocab"
MAX_UNUSED = 1 << 16  # ids without a piece
BYTE_NAMES = [f"<0x{byte:02X}>" for byte in range(256)]


class Parsed(NamedTuple):
    """Content of a file as `tokenizers` loaded it."""

    table: dict[str, Any]  # the file, written again
    vocab: dict[str, int]  # of the model, without added tokens
    added: tuple[AddedToken, ...]
    single_word: bool  # an added token must stand alone
    size: int


def read_huggingface(data: bytes) -> Reading:
    """Return the tokenizer of a file. Raises InputError for a file that is damaged or no tokenizer.json."""
    check_table(data)
    theirs = load_tokenizers(data)
    tokens = sorted(theirs.get_added_tokens_decoder().items())
    vocab = theirs.get_vocab(with_added_tokens=False)
    size = max([*vocab.values(), *(id for id, _ in tokens)], default=-1) + 1
    used = len({*vocab.values(), *(id for id, _ in tokens)})
    if size - used > MAX_UNUSED:
        raise InputError(f"{size - used:,} ids up to {size - 1:,} have no piece, expected up to {MAX_UNUSED:,}")
    added = tuple(AddedToken(t.content, id, t.special, t.lstrip, t.rstrip, t.normalized) for id, t in tokens)
    table = parse(theirs.to_str())
    file = Parsed(table, vocab, added, any(token.single_word for _, token in tokens), size)
    raw = parse(data)
    named = ("truncation", raw.get("truncation")), ("padding", raw.get("padding"))
    notes = tuple(
        f"{name} is not applied" for name, value in (*named, ("dropout", raw["model"].get("dropout"))) if value
    )
    if _writes_more(table["post_processor"], {token.content: token.id for token in added if token.special}):
        notes += ("post_processor is not applied: it is not one special token before a document and one after",)
    try:
        return Reading(native_model(file), "tokenizers", data, "", notes, partial(library_model, file, data))
    except (Unsupported, GristmillError) as why:
        return Reading(library_model(file, data), "tokenizers", data, str(why), notes)


def check_table(data: bytes) -> None:
    """Raise InputError for data that is no tokenizer.json, or has merges on which the library would panic."""
    try:
        table = parse(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the file is not a tokenizer.json ({error})") from None
    inside = table.get("model") if isinstance(table, dict) else None
    if not isinstance(inside, dict):
        raise InputError("the file is not a tokenizer.json: it has no model")
    vocab, merges = inside.get("vocab"), inside.get("merges", [])
    if "merges" not in inside or not isinstance(vocab, dict):
        return
    prefix = inside.get("continuing_subword_prefix") or ""
    if not isinstance(merges, list) or not isinstance(prefix, str):
        raise InputError(f"model.merges is {shown(merges)}, expected a list of pairs")
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(half, str) for half in pair):
            raise InputError(f"merge {shown(merge)} does not name two pieces")
        for name in (*pair, pair[0] + pair[1][len(prefix) :]):
            if name not in vocab:
                raise InputError(f"a merge names {shown(name)}, which is not in the vocabulary")


def native_model(file: Parsed) -> Model:
    """Return the Model that gives the same ids. Raises Unsupported if there is none."""
    expect_keys(file.table, TOP, "the file")
    inside = file.table["model"]
    if len({*file.vocab.values()}) < len(file.vocab):
        raise Unsupported("two pieces have the same id")
    if file.single_word:
        raise Unsupported("an added token must stand alone (single_word)")
    if any(t.rstrip for t in file.added) and any(t.content[:1].isspace() for t in file.added):
        raise Unsupported("an added token takes the white space after it, and another begins with white space")
    for token in file.added:
        if len(token.content) == 1 and token.content in file.vocab and (token.special or token.normalized):
            raise Unsupported(f"the added token {token.content!r} is a single character")
    if inside["type"] == "WordPiece":
        return _wordpiece(file)
    if inside["type"] != "BPE":
        raise Unsupported(f"the model is {inside['type']}")
    return _bpe(file)


def library_model(file: Parsed, data: bytes) -> Model:
    """Return the Model that runs in `tokenizers`."""
    kinds, prefix = {*_types(file.table["decoder"])}, ""
    spell = _character_bytes if "ByteLevel" in kinds else str.encode
    if "WordPiece" in kinds:
        decoder = file.table["decoder"]
        prefix = decoder.get("prefix", "##") if decoder["type"] == "WordPiece" else "##"
    pieces = [b""] * file.size
    for name, id in file.vocab.items():
        pieces[id] = bytes([BYTE_NAMES.index(name)]) if name in BYTE_NAMES else spell(name)
        if kinds & {"Metaspace", "Replace"}:
            pieces[id] = pieces[id].replace(MARK.encode(), b" ")
    for token in file.added:
        pieces[token.id] = token.content.encode()
    special = {token.content: token.id for token in file.added if token.special}
    roles = known_roles(special) | _edges(file.table["post_processor"], special)
    return Model("tokenizers", "none", pieces, special=special, roles=roles, prefix=prefix, original=data)


def _bpe(file: Parsed) -> Model:
    inside = file.table["model"]
    expect_keys(inside, f"{BPE} merges", "the model")
    if inside["continuing_subword_prefix"] or inside["end_of_word_suffix"]:
        raise Unsupported("the model marks parts of words (continuing_subword_prefix, end_of_word_suffix)")
    normalizers, escapes = read_normalizers(file.table["normalizer"])
    cut = read_pretokenizers(file.table["pre_tokenizer"], escapes)
    if cut.of_bytes:
        pieces = _byte_pieces(file, inside)
        return _model(file, "bpe", pieces, cut.name, normalizers, cut.part_normalizers, alphabet="bytes")
    if not (escapes or "escape" in cut.part_normalizers):
        raise Unsupported("the pieces are neither of bytes nor of text whose spaces are ▁")
    if not inside["byte_fallback"]:
        raise Unsupported("characters without a piece do not become bytes")
    if inside["ignore_merges"]:
        raise Unsupported("the text <0x0A> would be the byte of that name (ignore_merges)")
    pieces = [b""] * file.size
    for name, id in file.vocab.items():
        pieces[id] = name.encode()
    where = [file.vocab.get(name) for name in BYTE_NAMES]
    if where[0] is None or where != [*range(where[0], where[0] + 256)]:
        raise Unsupported("the pieces of bytes are not 256 consecutive ids")
    pieces[where[0] : where[0] + 256] = [bytes([byte]) for byte in range(256)]
    name = cut.name
    if name == "none" and not any(_mixes_marks(left + right) for left, right in inside["merges"]):
        name = "mark_runs"
    more = {"alphabet": "characters", "bytes_from": where[0]}
    return _model(file, "bpe", pieces, name, normalizers, cut.part_normalizers, **more)


def _mixes_marks(piece: str) -> bool:
    """True if ▁ follows another character in the piece."""
    return MARK in piece.lstrip(MARK)


def _byte_pieces(file: Parsed, inside: dict) -> list[bytes]:
    pieces, contents = [b""] * file.size, {token.content for token in file.added}
    for name, id in file.vocab.items():
        if all(character in BYTE for character in name):
            pieces[id] = bytes(BYTE[character] for character in name)
            if name in contents and pieces[id] != name.encode():
                raise Unsupported(f"the added token {name!r} is also the piece of other bytes")
        elif name not in contents:
            raise Unsupported(f"the piece {name!r} is neither of bytes nor an added token")
    return pieces


def _wordpiece(file: Parsed) -> Model:
    inside, prefix = file.table["model"], file.table["model"]["continuing_subword_prefix"]
    expect_keys(inside, "type unk_token continuing_subword_prefix max_input_chars_per_word vocab", "the model")
    if file.table["pre_tokenizer"] != {"type": "BertPreTokenizer"}:
        raise Unsupported("the pre-tokenizer of WordPiece is not BERT's")
    normalizer = file.table["normalizer"] or {}
    expect_keys(normalizer, "type clean_text handle_chinese_chars strip_accents lowercase", "the normalizer")
    if normalizer.get("type") != "BertNormalizer" or not normalizer["handle_chinese_chars"]:
        raise Unsupported("the normalizer of WordPiece is not BERT's, with Chinese characters alone")
    lower, strip = normalizer["lowercase"], normalizer["strip_accents"]
    steps = ("hf_clean", normalizer["clean_text"]), ("hf_strip_accents", lower if strip is None else strip)
    normalizers = tuple(name for name, does in (*steps, ("hf_lower", lower)) if does)
    if not prefix or inside["unk_token"] not in {t.content for t in file.added if t.special}:
        raise Unsupported("the unknown token is not a special token, or parts of words have no mark")
    pieces = [b""] * file.size
    for name, id in file.vocab.items():
        pieces[id] = name.encode()
    most = inside["max_input_chars_per_word"]
    return _model(file, "wordpiece", pieces, "bert", normalizers, (), prefix=prefix, max_input_chars_per_word=most)


def _model(
    file: Parsed,
    algorithm: str,
    pieces: list[bytes],
    pretokenizer: str,
    normalizers: tuple[str, ...],
    part_normalizers: tuple[str, ...],
    **more: Any,
) -> Model:
    """Return the Model, with what all kinds have in common."""
    inside = file.table["model"]
    for token in file.added:
        if not pieces[token.id]:
            pieces[token.id] = token.content.encode()
        elif more.get("bytes_from") is None and pieces[token.id] != token.content.encode():
            raise Unsupported(f"the added token {token.content!r} has the id of another piece")
    whole = [token.content for token in file.added if token.content in file.vocab]
    cut = pretokenize(Ragged.from_strings(whole), pretokenizer)
    if (inside.get("ignore_merges") or algorithm == "wordpiece") and (np.diff(cut.documents) == 1).any():
        raise Unsupported("an added token is also a whole piece of text")
    vocab, pairs = file.vocab, inside.get("merges", [])
    special = {token.content: token.id for token in file.added if token.special}
    roles = known_roles(special) | _edges(file.table["post_processor"], special)
    unknown = inside["unk_token"]
    roles |= {"unknown": unknown} if unknown in special else {}
    return Model(
        algorithm,
        pretokenizer,
        pieces,
        merges=np.array([[vocab[a], vocab[b], vocab[a + b]] for a, b in pairs], np.int32).reshape(-1, 3),
        special=special,
        roles=roles,
        ignore_merges=bool(inside.get("ignore_merges")),
        normalizers=normalizers,
        part_normalizers=part_normalizers,
        added=() if all(token.is_plain for token in file.added) else file.added,
        **more,
    )


def _types(part: dict | None) -> Iterable[str]:
    """Yield the types of a part and of those inside it."""
    if part is not None:
        yield part["type"]
        for inner in part.get("decoders", []):
            yield from _types(inner)


def _edges(part: dict | None, special: dict[str, int]) -> dict[str, str]:
    """Return the roles of the tokens that a post-processor puts before and after a document."""
    found: dict[str, str] = {}
    for each in (part or {}).get("processors", [part] if part else []):
        if each["type"] == "TemplateProcessing":
            tokens = [step["SpecialToken"]["id"] if "SpecialToken" in step else None for step in each["single"]]
            if tokens.count(None) == 1:
                before, after = tokens[: tokens.index(None)], tokens[tokens.index(None) + 1 :]
                found |= {"bos": str(before[-1])} if before else {}
                found |= {"eos": str(after[0])} if after else {}
        elif each["type"] in ("BertProcessing", "RobertaProcessing"):
            found |= {"bos": each["cls"][0], "eos": each["sep"][0]}
    return {role: token for role, token in found.items() if token in special}


def _writes_more(part: dict | None, special: dict[str, int]) -> bool:
    """True if a post-processor does anything else around a document than the roles of ``_edges`` tell."""
    written: list[int] = []
    for each in (part or {}).get("processors", [part] if part else []):
        if each["type"] == "TemplateProcessing":
            names = [step["SpecialToken"]["id"] for step in each["single"] if "SpecialToken" in step]
            written += [id for name in names for id in each["special_tokens"][name]["ids"]]
            if len(each["single"]) != len(names) + 1:
                return True
        elif each["type"] in ("BertProcessing", "RobertaProcessing"):
            written += [each["cls"][1], each["sep"][1]]
        elif each["type"] != "ByteLevel":  # which changes offsets alone
            return True
    roles = _edges(part, special)
    return written != [special[roles[role]] for role in ("bos", "eos") if role in roles]


def _character_bytes(name: str) -> bytes:
    known = all(character in BYTE for character in name)
    return bytes(BYTE[character] for character in name) if known else name.encode()
