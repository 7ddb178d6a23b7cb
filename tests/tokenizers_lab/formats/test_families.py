"""Tokenizers of every family give the ids of `tokenizers`, on any text, with special tokens and without."""

import os
import random
from functools import cache

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from gristmill.pipelines.errors import GristmillError
from gristmill.tokenizers_lab.battery import FRAGMENTS
from gristmill.tokenizers_lab.encode.library import load_tokenizers
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.import_tokenizer import import_file
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from tools import families

OURS = [*families.BYTE_BPE, *families.FALLBACK_BPE, "bert", "bert-cased", "bert-strip"]
THEIRS = {
    "deepseek-coder": "the pre-tokenizer Split has no form of ours",
    "single-word": "an added token must stand alone",
    "overlaps": "byte without a piece",
    "clip": "the model marks parts of words",
    "t5": "the model is Unigram",
    "xlm-r": "the model is Unigram",
    "xlnet": "the model is Unigram",
    "words": "the model is WordLevel",
}
ALL = sorted(families.FAMILIES)


@cache
def made(name):
    """Return the tokenizer of a family, there and here."""
    theirs = families.FAMILIES[name]()
    return theirs, theirs.to_str()


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    @cache
    def read(name):
        file = UPath(tmp_path_factory.mktemp(name) / "tokenizer.json")
        file.write_text(made(name)[1], "utf-8")
        done = import_file(file)
        return done, Tokenizer(done.model), load_tokenizers(file.read_bytes())

    return read


@pytest.mark.parametrize("name", ALL)
def test_a_family_is_ours_or_runs_in_its_library_and_says_why(imported, name):
    done, _, _ = imported(name)
    if name in THEIRS:
        assert done.backend == "tokenizers" and THEIRS[name] in done.why
    else:
        assert (done.backend, done.why) == ("gristmill", "") and done.texts > 3000


texts = st.lists(st.sampled_from(FRAGMENTS) | st.sampled_from(families.WORDS) | st.text(max_size=4), max_size=20)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=int(os.environ.get("GRISTMILL_EXAMPLES", 100)) // 2)
@given(data=st.data())
def test_ids_are_those_of_the_library(imported, name, data):
    _, ours, theirs = imported(name)
    tokens = [token.content for token in theirs.get_added_tokens_decoder().values()][:20]
    text = "".join(data.draw(texts) + data.draw(st.lists(st.sampled_from(tokens + FRAGMENTS), max_size=8)))
    theirs.encode_special_tokens = True
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids
    theirs.encode_special_tokens = False
    assert ours.encode(text, "all") == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("name", ["neox", "mistral", "bert", "bart-prefix", "t5"])
def test_what_is_written_is_read_again(imported, name, tmp_path):
    from gristmill.tokenizers_lab.formats.model import finish_model

    done, ours, _ = imported(name)
    finish_model(done.model, UPath(tmp_path))
    again = Tokenizer.load(UPath(tmp_path))
    for text in ("the  mill\n<s> don't", "  Grain [MASK] naïve"):
        assert again.encode(text, "all") == ours.encode(text, "all")
        assert again.encode(text) == ours.encode(text)


def battery_of(tokens):
    rng = random.Random(4)
    parts = [*FRAGMENTS, *families.WORDS, *families.SPACES, *tokens]
    return ["".join(rng.choices(parts, k=20)) for _ in range(200)]


@pytest.mark.parametrize("name", OURS)
def test_what_is_exported_gives_the_ids_of_what_was_imported(imported, name):
    done, _, theirs = imported(name)
    again = load_tokenizers(to_huggingface(done.model))
    for text in battery_of(done.model.special):
        for each in (again, theirs):
            each.encode_special_tokens = len(text) % 2 == 0
        assert again.encode(text, add_special_tokens=False).ids == theirs.encode(text, add_special_tokens=False).ids


def test_digits_after_bytes_are_exported_after_bytes(tmp_path):
    """A superscript digit is two bytes, of which ByteLevel writes the second as a digit."""
    theirs = families.byte_bpe("gpt2")
    after = families.pre_tokenizers.Digits(individual_digits=False)
    theirs.pre_tokenizer = families.sequence(families.byte_level(regex=False), after)
    theirs.save(str(tmp_path / "tokenizer.json"))
    done = import_file(UPath(tmp_path / "tokenizer.json"))
    assert (done.backend, done.model.pretokenizer) == ("gristmill", "byte_digits")
    again = load_tokenizers(to_huggingface(done.model))
    for text in battery_of(["½ ", "² x"]):
        assert again.encode(text).ids == theirs.encode(text).ids


CHANGES = [None, True, False, 0, 1, -1, 0.5, "", "▁", " ", "x", [], {}, ["x"], {"type": "NFC"}, "first", "Removed"]


def places(table, path=()):
    """Yield the path of each value, without most of the vocabulary."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*path, key)
        if isinstance(value, dict | list) and key not in ("vocab", "merges"):
            yield from places(value, (*path, key))


@pytest.mark.parametrize("name", ["neox", "gemma", "mistral", "bert", "falcon", "strips"])
@settings(max_examples=int(os.environ.get("GRISTMILL_EXAMPLES", 100)) // 10)  # an import takes a second
@given(data=st.data())
def test_a_changed_file_never_gives_other_ids_than_the_library(name, data, tmp_path_factory):
    table = inner = orjson.loads(made(name)[1])
    place = data.draw(st.sampled_from([*places(table)]))
    for key in place[:-1]:
        inner = inner[key]
    if data.draw(st.booleans()):
        inner[place[-1]] = data.draw(st.sampled_from(CHANGES))
    else:
        inner.pop(place[-1])
    file = UPath(tmp_path_factory.mktemp("changed") / "tokenizer.json")
    file.write_bytes(orjson.dumps(table))
    try:
        done = import_file(file)
    except GristmillError as error:
        assert "\n" not in str(error)
        return
    ours, theirs = Tokenizer(done.model), load_tokenizers(file.read_bytes())
    theirs.encode_special_tokens = True
    for text in ("The  mill\n don't 12345 <s>▁ naïve \t漢字", " <mask>  river\r\n[MASK] 3.14 x²"):
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids
