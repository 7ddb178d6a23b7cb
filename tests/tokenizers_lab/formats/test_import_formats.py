"""Files of other libraries are imported with the ids that these give, or refused in one line."""

import base64
import io
import json

import pytest
import sentencepiece
import tiktoken
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import decoders, processors
from upath import UPath

from gristmill.pipelines.errors import GristmillError, InputError, RecipeError
from gristmill.tokenizers_lab import import_tokenizer
from gristmill.tokenizers_lab.battery import FRAGMENTS, battery
from gristmill.tokenizers_lab.formats.detect import read_file
from gristmill.tokenizers_lab.formats.model import Model, finish_model
from gristmill.tokenizers_lab.formats.sentencepiece import to_sentencepiece
from gristmill.tokenizers_lab.import_tokenizer import import_file, load_any
from gristmill.tokenizers_lab.originals import tiktoken_original
from gristmill.tokenizers_lab.pretokenize import PATTERNS
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from tools import families

BYTES = [bytes([byte]) for byte in range(256)]
LINES = [line for text in families.SMALL.texts for line in text.splitlines() if line.strip()]
MERGED = [b"th", b"the", b" the", b"mi", b"mill", b" mill", b"in", b"ing", b"\n\n", b"12", "漢".encode(), b"  "]


def spm(kind, **more):
    """Train a model of SentencePiece."""
    data = io.BytesIO()
    flags = {"model_type": kind, "vocab_size": 400, "minloglevel": 5, "hard_vocab_limit": False} | more
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_writer=data, **flags)
    return data.getvalue()


GEMMA = {"add_dummy_prefix": False, "remove_extra_whitespaces": False, "normalization_rule_name": "identity"}
MODELS = {
    "t5.model": ("unigram", {"normalization_rule_name": "nfkc"}),
    "xlnet.model": ("unigram", {"normalization_rule_name": "nfkc_cf"}),
    "albert.model": ("unigram", {"normalization_rule_name": "nmt_nfkc_cf"}),
    "llama.model": ("bpe", {"byte_fallback": True, "normalization_rule_name": "identity"}),
    "mistral.model.v3": ("bpe", {"byte_fallback": True, **GEMMA, "add_dummy_prefix": True}),
    "gemma.model": ("bpe", {"byte_fallback": True, **GEMMA, "user_defined_symbols": ["▁▁", "▁▁▁", "<t>"]}),
    "reformer.model": ("bpe", {"user_defined_symbols": ["<t>", "mill"]}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = UPath(tmp_path_factory.mktemp("models"))
    for name, (kind, more) in MODELS.items():
        (made / name).write_bytes(spm(kind, **more))
    return made


@pytest.mark.parametrize("name", MODELS)
def test_sentencepiece_with_the_map_inside_it(folder, name):
    done = import_file(folder / name)
    assert (done.backend, done.why, done.library) == ("gristmill", "", "sentencepiece") and done.texts > 3000
    theirs, ours = sentencepiece.SentencePieceProcessor(model_file=str(folder / name)), Tokenizer(done.model)

    @given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=20).map("".join))
    def same(text):
        assert ours.encode(text) == theirs.encode(text)

    same()
    again = sentencepiece.SentencePieceProcessor(model_proto=to_sentencepiece(done.model))
    assert again.encode("the  mill ﬁ ①") == theirs.encode("the  mill ﬁ ①")


def test_a_model_without_a_form_of_ours_runs_in_sentencepiece(tmp_path):
    (tmp_path / "words.model").write_bytes(spm("word"))
    done = import_file(UPath(tmp_path / "words.model"))
    assert done.backend == "sentencepiece" and "words or characters" in done.why and done.mb_per_second > 0
    finish_model(done.model, UPath(tmp_path / "back"))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "words.model"))
    again = Tokenizer.load(UPath(tmp_path / "back"))
    assert again.encode("the mill grinds") == theirs.encode("the mill grinds")
    assert again.decode_ids(theirs.encode("the mill grinds")) == theirs.decode(theirs.encode("the mill grinds"))


def test_without_the_library_a_model_is_not_compared(folder, monkeypatch):
    monkeypatch.setitem(import_tokenizer.__dict__, "open_original", lambda reading: None)
    done = import_file(folder / "llama.model")
    assert (done.texts, done.why) == (0, "not compared: sentencepiece is not installed")


def ranks(pieces):
    return b"".join(base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces))


def test_tiktoken_is_compared(tmp_path):
    (tmp_path / "x.tiktoken").write_bytes(ranks([*BYTES, *MERGED]))
    done = import_file(UPath(tmp_path / "x.tiktoken"), "cl100k-tiktoken", {"<|end|>": 300})
    assert done.backend == "gristmill" and done.texts > 3000 and done.library == "tiktoken"
    theirs = tiktoken.Encoding(
        "x",
        pat_str=PATTERNS["cl100k-tiktoken"][0],
        mergeable_ranks={piece: rank for rank, piece in enumerate([*BYTES, *MERGED])},
        special_tokens={"<|end|>": 300},
    )
    assert Tokenizer(done.model).encode("the mill<|end|> 1234", "all") == theirs.encode(
        "the mill<|end|> 1234", allowed_special="all"
    )
    with pytest.raises(RecipeError, match="names no pre-tokenizer"):
        load_any(UPath(tmp_path / "x.tiktoken"))


def test_a_regex_of_another_unicode_is_refused(tmp_path):
    """The `regex` package has newer letters than tiktoken; the battery has the characters at which they differ."""
    (tmp_path / "x.tiktoken").write_bytes(ranks([*BYTES, *MERGED, b"a\xf0\x90\xa5\x80", b"\xf0\x90\xa5\x80"]))
    with pytest.raises(InputError, match=r"our ids differ from those of tiktoken, first for '"):
        import_file(UPath(tmp_path / "x.tiktoken"), r"regex:\p{L}+|\P{L}|.", {})


@pytest.mark.parametrize("named", [True, False])
def test_tekken(tmp_path, named):
    special = [{"rank": n, "token_str": token, "is_control": True} for n, token in enumerate(("<unk>", "<s>", "</s>"))]
    vocab = [
        {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
        for rank, piece in enumerate([*BYTES, *MERGED, b"unused"])
    ]
    config = {
        "pattern": families.TEKKEN,
        "default_vocab_size": 10 + 256 + len(MERGED),
        "default_num_special_tokens": 10,
    }
    table = {"config": config, "vocab": vocab, "version": 3} | ({"special_tokens": special} if named else {})
    (tmp_path / "tekken.json").write_text(json.dumps(table))
    done = import_file(UPath(tmp_path / "tekken.json"))
    assert (done.backend, done.model.pretokenizer, done.model.size) == ("gristmill", "tekken", 10 + 256 + len(MERGED))
    assert done.texts > 3000 and done.model.special["</s>"] == 2 and done.model.roles["bos"] == "<s>"
    assert done.model.special["<SPECIAL_7>" if named else "[TOOL_RESULTS]"] == 7
    assert Tokenizer(done.model).encode("the mill") == [10 + 256 + 1, 10 + 256 + 5]
    assert load_any(UPath(tmp_path)).size == done.model.size  # by its name in the folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {}}, "config.pattern: Field required"),
        ({"vocab": [{"rank": 1, "token_bytes": "YQ=="}]}, "piece 0 has rank 1; expected ranks in order"),
        ({"vocab": []}, "the file has 0 pieces, expected 1"),
        ({"vocab": [{"rank": 0, "token_bytes": "!"}]}, "piece 0 is '!', expected bytes in base64"),
        ({"special_tokens": [{"rank": 9, "token_str": "x"}]}, "a special token has rank 9"),
    ],
)
def test_a_damaged_tekken_is_one_line(tmp_path, change, message):
    config = {"pattern": families.TEKKEN, "default_vocab_size": 2, "default_num_special_tokens": 1}
    table = {"config": config, "vocab": [{"rank": 0, "token_bytes": "YQ=="}]} | change
    (tmp_path / "tekken.json").write_text(json.dumps(table))
    with pytest.raises(GristmillError, match=message) as error:
        load_any(UPath(tmp_path / "tekken.json"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("lower", "told"), [(True, None), (False, None), (False, True)])
def test_a_vocab_txt_is_berts(tmp_path, lower, told):
    theirs = families.wordpiece(lower)
    pieces = sorted(theirs.get_vocab(), key=theirs.get_vocab().get)
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in pieces), "utf-8")
    if told is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": told}))
    done = import_file(UPath(tmp_path / "vocab.txt"))
    assert done.backend == "gristmill" and done.texts > 3000
    assert bool(done.notes) == (told is None)
    if told is None:
        for text in battery(done.model)[:300]:
            assert Tokenizer(done.model).encode(text, "all") == theirs.encode(text, add_special_tokens=False).ids
    assert ("hf_lower" in done.model.normalizers) == (lower if told is None else told)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("vocab.txt", b"a\nb\n", r"the file has no line \[UNK\]"),
        ("vocab.txt", b"[UNK]\na\na\n", "the piece 'a' has two lines"),
        ("vocab.txt", b"\xff", "not UTF-8"),
        ("x.model", b"\x0a\x7f\x0a", "cut short"),
        ("x.bin", b"abc", "of no known kind"),
        ("x.json", b"[1]", "the file is not a tokenizer.json"),
        ("x.json", b'{"config": 1, "vocab": {}}', "tekken.json: config"),
        ("x.json", b"\xff\xfe", "the file is not a tokenizer.json"),
        ("tokenizer.json", b'{"model": {"type": "Unigram", "vocab": [["a", "b"]]}}', "cannot read the file"),
    ],
)
def test_a_file_that_is_no_tokenizer_is_one_line(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(GristmillError, match=message) as error:
        load_any(UPath(tmp_path / name))
    assert "\n" not in str(error.value) and name in str(error.value)


def test_settings_that_are_not_applied_are_told(tmp_path):
    table = json.loads(families.byte_bpe("gpt2").to_str())
    table["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    table["model"]["dropout"] = 0.5
    (tmp_path / "tokenizer.json").write_text(json.dumps(table))
    done = import_file(UPath(tmp_path / "tokenizer.json"))
    assert done.notes == ("truncation is not applied", "dropout is not applied") and done.backend == "gristmill"
    assert len(Tokenizer(done.model).encode("the mill grinds the grain")) > 2


@pytest.mark.parametrize(
    ("single", "pair", "told"),
    [
        ("<s> $A </s>", "<s> $A </s> $B:1 </s>:1", False),
        ("$A </s>", "$A $B", False),
        ("$A", "$A $B", False),
        ("<s> <u> $A </s>", "$A $B", True),
        ("<s> $A </s> $A", "$A $B", True),
        ("<s> $A <plain>", "$A $B", True),
    ],
)
def test_what_a_post_processor_writes_has_a_role_or_is_told(tmp_path, single, pair, told):
    theirs = families.byte_bpe("gpt2")
    theirs.add_special_tokens(["<s>", "</s>", "<u>"])
    theirs.add_tokens(["<plain>"])
    tokens = [(token, theirs.token_to_id(token)) for token in ("<s>", "</s>", "<u>", "<plain>")]
    template = processors.TemplateProcessing(single, pair, tokens)
    theirs.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    theirs.save(str(tmp_path / "tokenizer.json"))
    done = import_file(UPath(tmp_path / "tokenizer.json"))
    assert done.notes == (
        ("post_processor is not applied: it is not one special token before a document and one after",) if told else ()
    )


def test_text_that_a_decoder_writes_otherwise_is_told(tmp_path):
    theirs = families.byte_bpe("bart-prefix")
    theirs.save(str(tmp_path / "tokenizer.json"))
    (note,) = import_file(UPath(tmp_path / "tokenizer.json")).notes
    assert note == "decoder is not applied: the ids of ' ' become '', in the library ' '"


def test_a_decoder_that_panics_is_an_error_of_one_line(tmp_path):
    theirs = families.byte_bpe("single-word")
    theirs.decoder = decoders.Strip("a", 0, 2)
    theirs.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="`tokenizers` cannot decode: index out of bounds") as error:
        Tokenizer(read_file(UPath(tmp_path / "tokenizer.json")).model).decode_ids([theirs.token_to_id("a")])
    assert "\n" not in str(error.value)


def test_the_name_of_a_byte_is_text_only_where_pieces_are_not_looked_up_whole(tmp_path):
    table = json.loads(families.fallback_bpe("llama2").to_str())
    table["normalizer"] = table["normalizer"]["normalizers"][1]  # no ▁ before the text
    table["model"]["ignore_merges"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(table))
    done, theirs = import_file(UPath(tmp_path / "tokenizer.json")), families.Tokenizer.from_str(json.dumps(table))
    assert done.backend == "tokenizers"
    for text in ("<0x0A>", "the <0x0A>mill"):
        assert Tokenizer(done.model).encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_a_library_that_panics_is_an_error_of_one_line(tmp_path):
    theirs = families.byte_bpe("gpt2")
    theirs.add_tokens([*families.plain("river", rstrip=True), *families.plain("  ", lstrip=True)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="`tokenizers` cannot encode: AddedVocabulary bad split"):
        Tokenizer(read_file(UPath(tmp_path / "tokenizer.json")).model).encode("river   a")


def test_tiktoken_original_needs_one_pattern():
    with pytest.raises(RecipeError, match="tiktoken splits by one regex"):
        tiktoken_original(Model("bpe", "deepseek-v3", BYTES))
