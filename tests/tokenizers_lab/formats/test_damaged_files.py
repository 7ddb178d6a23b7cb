"""Damaged tokenizers of every format are refused in one line when they are opened."""

import base64

import numpy as np
import orjson
import pytest
from upath import UPath

from gristmill.pipelines.errors import GristmillError, InputError, WorkError
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import FILE, Model, read_model, write_model
from gristmill.tokenizers_lab.formats.sentencepiece import from_sentencepiece, to_sentencepiece
from gristmill.tokenizers_lab.formats.tiktoken import from_tiktoken
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.normalize.protobuf import field

UNREADABLE = "`tokenizers` cannot read the file"
BYTES = [bytes([b]) for b in range(256)]
BPE = {"pieces": [*BYTES, b"ab"], "merges": np.array([(97, 98, 256)], np.int32)}
UNIGRAM = {"pieces": [b"<unk>", b"a"], "scores": np.array([np.nan, -1], np.float32), "special": {"<unk>": 0}}
UNIGRAM |= {"roles": {"unknown": "<unk>"}, "alphabet": "characters", "normalizers": ("escape",)}


def make(algorithm="bpe", pretokenizer="gpt2", **changes):
    start = {"bpe": BPE, "unigram": UNIGRAM, "wordpiece": {"pieces": [b"[UNK]"]}}[algorithm]
    return Model(algorithm, pretokenizer, **{**start, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"merges": np.array([(97, 98, 257)], np.int32)}, "id of a merge is 257, expected 0 to 256"),
        ({"merges": np.array([(97, -1, 256)], np.int32)}, "id of a merge is -1, expected 0 to 256"),
        ({"merges": np.array([97, 98, 256], np.int32)}, "shape of merges"),
        ({"merges": np.zeros(((1 << 22) - 1, 3), np.int32)}, "number of merges is 4194303, expected up to 4,194,302"),
        ({"pieces": [*BYTES, b""]}, "merge of an empty piece"),
        ({"pieces": [*BYTES, b"a" * 10_001]}, "size of a piece is 10,001 bytes"),
        ({"pieces": [*BYTES[1:], b"ab", b"c"]}, r"byte without a piece is \[0\]"),
        ({"special": {"<s>": 257}}, "id of the special token '<s>' is 257, expected 0 to 256"),
        ({"special": {"<s>": -1}}, "id of the special token '<s>' is -1"),
        ({"special": {"": 3}}, "id of the special token ''"),
        ({"user_symbols": (257,)}, "id of a user symbol is 257"),
        ({"bytes_from": 2}, "bytes_from is 2, expected 0 to 1"),
        ({"bytes_from": 1}, "pieces from bytes_from on"),
        ({"scores": np.zeros(3, np.float32)}, "number of scores is 3, expected 0 or 257"),
        ({"alphabet": "words"}, "alphabet is 'words'"),
        ({"alphabet": "characters"}, "unknown token is None, expected byte pieces or"),
        ({"algorithm": "unigram", "scores": np.array([np.nan, np.inf])}, "a score is inf"),
        ({"algorithm": "unigram", "scores": np.array([np.nan, -2e9])}, r"a score is 2000000000\.0"),
        ({"algorithm": "unigram", "scores": np.array([np.nan, np.nan])}, "number of pieces with a score is 0"),
        ({"algorithm": "unigram", "pieces": [b"<unk>", b""]}, "empty piece with a score"),
        ({"algorithm": "unigram", "roles": {}}, "unknown token is None, expected byte pieces or"),
        ({"algorithm": "wordpiece"}, "unknown token is None, expected a special token for unknown words"),
        ({"pretokenizer": "regex:("}, r"missing \)"),
        ({"pretokenizer": "gpt3"}, "there is no pretokenizer 'gpt3'"),
        ({"normalizers": ("loud",)}, "there is no normalizer 'loud'"),
    ],
)
def test_a_model_that_does_not_fit_is_never_made(changes, message):
    with pytest.raises(GristmillError, match=message):
        make(**changes)


def test_merges_are_of_ids_that_fit_their_table():
    pieces = [*BYTES, *[b"x"] * (1 << 21)]
    make(pieces=pieces, merges=np.array([(97, 98, (1 << 21) - 2)], np.int32))
    with pytest.raises(InputError, match="id of a merge is 2097151, expected 0 to 2,097,150"):
        make(pieces=pieces, merges=np.array([(97, 98, (1 << 21) - 1)], np.int32))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("merges", 0, 2), 2**40, "id of a merge is 1099511627776"),
        (("merges", 0, 2), 2**63, "id of a merge|merges are damaged"),
        (("merges", 0, 2), 0.5, "merges are damaged: expected a list of numbers"),
        (("merges", 0, 2), "x", "merges are damaged"),
        (("merges", 0), [1, 2], "shape of merges"),
        (("merges",), {}, "is damaged: found"),
        (("pieces", 0), 7, "piece 0 is 7, expected a text"),
        (("pieces", 0), [], r"piece 0 is \[\], expected a text"),
        (("pieces", 0), ["zz"], "piece 0 is"),
        (("pieces", 0), ["00", "01"], "piece 0 is"),
        (("special",), {"<s>": "1"}, "special.<s>: Input should be a valid integer, found '1'"),
        (("bytes_from",), 2**63 - 1, "bytes_from is 9223372036854775807"),
        (("normalizers",), [[]], "normalizers.0: Input should be a valid string"),
        (("prefix",), None, "prefix: Input should be a valid string, found None"),
        (("max_input_chars_per_word",), 1.5, "max_input_chars_per_word: Input should be a valid integer"),
    ],
)
def test_our_file_with_a_changed_value_is_one_line(tmp_path, place, value, message):
    write_model(make(), UPath(tmp_path))
    table = inner = orjson.loads((tmp_path / FILE).read_bytes())
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / FILE).write_bytes(orjson.dumps(table))
    with pytest.raises(GristmillError, match=rf"{FILE}.*({message})") as error:
        read_model(UPath(tmp_path))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("key", ["algorithm", "special", "roles", "user_symbols", "scores", "pieces"])
def test_our_file_without_a_key_is_one_line(tmp_path, key):
    write_model(make(), UPath(tmp_path))
    table = orjson.loads((tmp_path / FILE).read_bytes())
    del table[key]
    (tmp_path / FILE).write_bytes(orjson.dumps(table))
    with pytest.raises(GristmillError, match=rf"{FILE}.*({key}: Field required|found .*'{key}': None)"):
        read_model(UPath(tmp_path))


@pytest.mark.parametrize("data", [b"[" * 5000 + b"]" * 5000, b"null", b"[]", b"{", b'{"format": 3}', b"\xff"])
def test_a_file_that_is_no_tokenizer_is_one_line(tmp_path, data):
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(WorkError, match=FILE):
        read_model(UPath(tmp_path))
    (tmp_path / "tokenizer.json").write_bytes(data)
    with pytest.raises(InputError, match=r"tokenizer\.json: the file is not a tokenizer\.json"):
        load_any(UPath(tmp_path / "tokenizer.json"))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("model", "vocab", "a"), 2**63 - 1, UNREADABLE),
        (("model", "vocab", "a"), 2**31, "ids up to 2,147,483,648 have no piece"),
        (("model", "vocab", "a"), "1", UNREADABLE),
        (("model", "vocab", "a"), -1, UNREADABLE),
        (("model", "vocab"), [], UNREADABLE),
        (("model", "merges"), [["a", "b", "c"]], r"merge \['a', 'b', 'c'\] does not name two pieces"),
        (("model", "merges"), [7], "merge 7 does not name two pieces"),
        (("model", "merges"), ["a é"], "a merge names 'aé'"),
        (("added_tokens",), [{"content": []}], UNREADABLE),
        (("pre_tokenizer",), [], UNREADABLE),
        (("pre_tokenizer",), {"type": "Sequence", "pretokenizers": [3]}, UNREADABLE),
        (("normalizer",), {"type": "Sequence", "normalizers": {}}, UNREADABLE),
        (("normalizer",), {"type": "Odd"}, UNREADABLE),
        (("model", "type"), [], UNREADABLE),
    ],
)
def test_a_tokenizer_json_with_a_changed_value_is_one_line(tmp_path, place, value, message):
    table = inner = orjson.loads(to_huggingface(make()))
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / "tokenizer.json").write_bytes(orjson.dumps(table))
    with pytest.raises(GristmillError, match=rf"tokenizer\.json: .*{message}"):
        load_any(UPath(tmp_path))


@pytest.mark.parametrize("rank", [-1, 2**31 - 1, 2**40, 2**63 - 1, (1 << 21) - 1])
def test_a_rank_of_tiktoken_out_of_range_is_one_line(rank):
    data = b"".join(base64.b64encode(piece) + b" %d\n" % number for number, piece in enumerate(BYTES[:-1]))
    with pytest.raises(InputError, match=rf"rank or special token's id is {rank}, expected 0 to 2,097,150"):
        from_tiktoken(data + base64.b64encode(BYTES[-1]) + b" %d\n" % rank, "gpt2", {})
    with pytest.raises(InputError, match=r"byte without a piece is \[0\]"):
        from_tiktoken(data[data.index(b"\n") + 1 :], "gpt2", {})


def test_ids_without_a_piece_are_few_in_tiktoken():
    data = b"".join(base64.b64encode(piece) + b" %d\n" % number for number, piece in enumerate(BYTES))
    assert from_tiktoken(data, "gpt2", {"<s>": 256 + (1 << 16)}).size == 257 + (1 << 16)
    with pytest.raises(InputError, match="65,537 ids up to 65,793 have no piece, expected up to 65,536"):
        from_tiktoken(data, "gpt2", {"<s>": 257 + (1 << 16)})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (field(1, 7), "field 0 of a message is no bytes"),
        (field(1, field(1, 7)), "field 1 of a message is no bytes"),
        (field(1, field(2, b"abc")), "field 2 of a message is no float"),
        (field(1, field(3, b"1")), "field 3 of a message is no int"),
        (field(1, field(1, b"\xff") + field(3, 3)), "is not UTF-8"),
        (field(1, field(1, "x") + field(2, float("inf"))), "a score is inf"),
        (field(3, field(1, b"\xff")), "is not UTF-8"),
        (field(2, field(3, "unigram")), "field 3 of a message is no int"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "ends within a field"),
        (b"\x0a", "ends within a number"),
    ],
)
def test_a_sentencepiece_model_with_an_odd_message_is_one_line(extra, message):
    data = to_sentencepiece(make("unigram", "metaspace"))
    from_sentencepiece(data)
    with pytest.raises(InputError, match=message):
        from_sentencepiece(data + extra)
