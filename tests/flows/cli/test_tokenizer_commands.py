"""gristmill tokenizer, tokenize and tokens, as people use them."""

import json
import random

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import paragraph
from upath import UPath

from gristmill.flows.cli import group
from gristmill.flows.tokenize.compare_by_training import _split
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.storage.shards import read_shard
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.tokenizers_lab.formats.model import FILE, Model, read_model
from gristmill.tokenizers_lab.tokenizer import Tokenizer


def call(*arguments, code=0, text=None):
    done = CliRunner().invoke(group, [str(a) for a in arguments], catch_exceptions=False, input=text)
    assert done.exit_code == code, done.output
    return done.stdout


def complaint(*arguments, text=None):
    with pytest.raises(GristmillError) as error:
        CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False, input=text)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("corpus"), random.Random(3)
    syllables = [a + b for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "ou", "ain")]
    for part in range(3):
        rows = []
        for i in range(40):
            words = ["".join(rng.choices(syllables[::7] + syllables, k=rng.randint(1, 3))) for _ in range(40)]
            text = f"{paragraph(rng, 12)}\n{' '.join(words)} naïve 漢字"
            rows.append({"id": f"{part}-{i}", "text": text, "language": "en"})
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    made = tmp_path_factory.mktemp("tokenizer") / "tok"
    assert "400 pieces" in call("tokenizer", "train", corpus, "--vocab-size", 400, "--workers", 1, "--output", made)
    return made


def test_the_same_bytes_for_any_number_of_workers_and_order_of_files(corpus, folder, tmp_path):
    files = sorted(corpus.iterdir(), reverse=True)
    call("tokenizer", "train", *files, "--vocab-size", 400, "--workers", 2, "--output", tmp_path / "again")
    assert (tmp_path / "again" / FILE).read_bytes() == (folder / FILE).read_bytes()


def test_encode_and_decode_are_the_way_there_and_back(folder):
    ids = call("tokenizer", "encode", folder, "The naïve 漢字")
    assert call("tokenizer", "decode", folder, text=ids) == "The naïve 漢字\n"
    shown = call("tokenizer", "encode", folder, "The mill", "--as-tokens").split("' '")
    assert "".join(piece.strip("'\n") for piece in shown) == "The mill"
    assert call("tokenizer", "encode", folder, "<|endoftext|>", "--allow", "all").split() == ["0"]
    assert "400 (" in call("tokenizer", "show", folder)


@pytest.mark.parametrize(
    ("algorithm", "kind", "more"),
    [
        ("bpe", "hf", []),
        ("bpe", "hf", ["--parity", "language", "--set", "parity.global_share=0.5"]),
        ("superbpe", "hf", ["--set", "superbpe.transition=0.9"]),
        ("bpe", "tiktoken", ["--set", "bpe.compat=tiktoken"]),
        ("unigram", "sentencepiece", []),
        ("wordpiece", "hf", []),
        ("wordpiece", "bert", []),
        (
            "bpe",
            "sentencepiece",
            [
                *("--pretokenizer", "metaspace", "--normalizer", "prefix", "--normalizer", "escape"),
                *("--set", "bpe.alphabet=characters", "--set", "bpe.compat=sentencepiece"),
                *("--special", "<unk>", "--special", "<s>", "--special", "</s>"),
            ],
        ),
    ],
)
def test_exports_give_the_same_ids_in_the_real_library(corpus, tmp_path, algorithm, kind, more):
    made = tmp_path / "tok"
    size = 400 if algorithm != "wordpiece" else 200
    call("tokenizer", "train", corpus, "--algorithm", algorithm, "--vocab-size", size, "--output", made, *more)
    suffix = {"hf": "json", "tiktoken": "tiktoken", "sentencepiece": "model", "bert": "txt"}[kind]
    file = tmp_path / f"out.{suffix}"
    told = call("tokenizer", "export", made, "--format", kind, "--output", file, "--corpus", corpus)
    assert "gives the same ids for 133 of 133 texts" in told
    if (algorithm, kind) in (("bpe", "hf"), ("unigram", "sentencepiece"), ("bpe", "sentencepiece")):
        call("tokenizer", "import", file, "--output", tmp_path / "back")
        one, other = Tokenizer.load(UPath(made)), Tokenizer.load(UPath(tmp_path / "back"))
        assert one.encode("The naïve 漢字 xyz") == other.encode("The naïve 漢字 xyz")


def test_compare_trains_models_of_equal_compute(corpus, folder, tmp_path):
    call("tokenizer", "train", corpus, "--vocab-size", 300, "--output", tmp_path / "small")
    pair = folder, tmp_path / "small"
    one, other = json.loads(call("tokenizer", "compare", *pair, "--corpus", corpus, "--train", 5, "--json"))
    assert one["trained"]["steps"] == 5 <= other["trained"]["steps"] and "interval" not in one["trained"]
    low, high = other["trained"]["interval"]
    assert low <= other["trained"]["difference"] <= high and 0 < other["trained"]["bits_per_byte"] < 8
    shown = call("tokenizer", "compare", *pair, "--corpus", corpus, "--train", 1)
    assert "bits/byte" in shown and "95 % interval" in shown
    (tmp_path / "few.txt").write_text("one line")
    told = complaint("tokenizer", "compare", folder, "--corpus", tmp_path / "few.txt", "--train", 1)
    assert "too few to train and to score" in told


@pytest.mark.parametrize("eos", [None, "<eos>"])
def test_documents_to_compare_by_end_with_the_end_marker_if_there_is_one(eos):
    pieces, roles = tuple(bytes([byte]) for byte in range(256)), {"eos": eos} if eos else {}
    special = {eos: 256} if eos else {}
    pieces += (eos.encode(),) if eos else ()
    model = Model(algorithm="bpe", pretokenizer="gpt2", pieces=pieces, special=special, roles=roles)
    made = _split(Tokenizer(model), ["ab", "", "c"])
    assert made.ends.tolist() == ([3, 4, 6] if eos else [2, 2, 3]) and made.bytes.tolist() == [2, 0, 1]
    assert made.payloads[0].tolist() == ([97, 98, 256, 256, 99, 256] if eos else [97, 98, 99])


def test_a_column_that_documents_lack_is_named(corpus, tmp_path):
    told = complaint("tokenizer", "train", corpus, "--parity", "tongue", "--output", tmp_path / "no")
    assert "no column 'tongue'; name one of id, text, source, language" in told


def test_unigram_shows_its_ways_and_keeps_symbols_whole(corpus, tmp_path):
    made = tmp_path / "uni"
    unigram = ("--algorithm", "unigram", "--user-symbol", "<user>", "--set", "unigram.seed_method=sentencepiece")
    call("tokenizer", "train", corpus, *unigram, "--vocab-size", 400, "--output", made)
    lines = call("tokenizer", "encode", made, "<user>The mill", "--nbest", 3).splitlines()
    scores, ids = zip(*(line.split("\t") for line in lines), strict=True)
    assert len({*ids}) == 3 and [*map(float, scores)] == sorted(map(float, scores), reverse=True)
    assert ids[0] == call("tokenizer", "encode", made, "<user>The mill").strip()
    shown = call("tokenizer", "encode", made, "--sample", "--seed", 3, "--as-tokens", text="a<user>b\nThe mill\n")
    assert "'<user>'" in shown.splitlines()[0]
    again = call("tokenizer", "encode", made, "--sample", "--seed", 3, "--as-tokens", text="x\nThe mill\n")
    assert again.splitlines()[1] == shown.splitlines()[1]
    told = call("tokenizer", "encode", made, "x", "--nbest", 2, "--sample", code=2)
    assert told == ""
    assert "user symbols need unigram" in complaint(
        "tokenizer", "train", corpus, "--user-symbol", "x", "--output", tmp_path / "no"
    )


def test_extending_keeps_what_ids_mean(corpus, folder, tmp_path):
    call("tokenizer", "extend", folder, corpus, "--vocab-size", 450, "--output", tmp_path / "larger")
    old, new = read_model(UPath(folder)), read_model(UPath(tmp_path / "larger"))
    assert new.size == 450 and new.pieces[:400] == old.pieces
    call("tokenizer", "extend", folder, corpus, "--vocab-size", 500, "--join-words", "--output", tmp_path / "super")
    assert any(b" " in piece.strip() for piece in read_model(UPath(tmp_path / "super")).pieces[400:])
    file = tmp_path / "tokenizer.json"
    call("tokenizer", "export", folder, "--format", "hf", "--output", file)
    call("tokenizer", "extend", file, corpus, "--vocab-size", 450, "--output", tmp_path / "again")
    assert read_model(UPath(tmp_path / "again")).pieces == new.pieces


def test_compare_measures_all_on_the_same_text(corpus, folder, tmp_path):
    words = tmp_path / "words"
    call("tokenizer", "train", corpus, "--algorithm", "words", "--vocab-size", 300, "--output", words)
    plot = tmp_path / "languages.png"
    rows = json.loads(call("tokenizer", "compare", folder, words, "--corpus", corpus, "--plot", plot, "--json"))
    assert [row["vocab_size"] for row in rows] == [400, 300] and all(row["exact"] == 1 for row in rows)
    assert plot.read_bytes()[:4] == b"\x89PNG"
    lines = [line for file in corpus.iterdir() for line in file.read_text().splitlines()]
    text = sum(len(json.loads(line)["text"].encode()) for line in lines)
    assert rows[0]["bytes_per_token"] == pytest.approx(text / rows[0]["tokens"])
    assert rows[0]["worst_language"] == "en" and 0 < rows[0]["renyi"] < 1
    assert "exact" in call("tokenizer", "compare", folder, "--corpus", corpus)


def test_every_document_comes_back_from_the_shards_and_every_position_is_traced(corpus, folder, tmp_path):
    made = tmp_path / "tokens"
    told = json.loads(call("tokenize", corpus, "--tokenizer", folder, "--output", made, "--json"))
    assert told["counts"]["documents"] == 120
    shards, opened = TokenShards(UPath(made)), Tokenizer.load(UPath(folder))
    documents = [
        row for p in (made / "work" / "documents").glob("*.parquet") for row in read_shard(UPath(p)).to_pylist()
    ]
    texts, seen = {row["id"]: row["text"] for row in documents}, {}
    for name in shards.names():
        shard, begin = shards.shard(name), 0
        for row, end in zip(shard.documents.to_pylist(), shard.ends.tolist(), strict=True):
            seen[row["id"]] = opened.decode_ids(shard.ids[begin + 1 : end])  # without BOS
            assert shard.trace(begin).id == shard.trace(end - 1).id == row["id"]
            begin = end
    assert seen == texts
    name = shards.names()[0]
    assert "document" in call("tokens", "trace", made, f"{name}:10")
    shown = call("tokens", "inspect", made, "--check", "--rows", 1)
    first = shards.shard(name).ends.tolist()[0]
    _, pieces = shown.replace("<|endoftext|>", "").split(f": {first:,} tokens\n")
    assert "bytes per token" in shown and pieces.count("|") == min(60, first) - 1
    call("tokens", "export", made, "--format", "llmc", "--output", tmp_path / "llmc")
    files = sorted((tmp_path / "llmc").glob("*.bin"))
    call("tokens", "import", *files, "--format", "llmc", "--vocab-size", 400, "--output", tmp_path / "back")
    again = TokenShards(UPath(tmp_path / "back"))
    assert np.array_equal(again.split()[0].ids, shards.split()[0].ids)


def test_another_librarys_tokenizer_is_read_wherever_ours_is(corpus, folder, tmp_path):
    file, out = tmp_path / "tokenizer.json", tmp_path / "back"
    call("tokenizer", "export", folder, "--format", "hf", "--output", file)
    told = call("tokenizer", "import", file, "--corpus", corpus, "--output", out)
    assert "backend: gristmill" in told and "tokenizers gives the same ids for all" in told
    ids = call("tokenizer", "encode", folder, "The naïve 漢字")
    assert (
        call("tokenizer", "encode", file, "The naïve 漢字") == ids == call("tokenizer", "encode", out, "The naïve 漢字")
    )
    assert call("tokenizer", "decode", file, text=ids) == "The naïve 漢字\n"
    assert "400 (" in call("tokenizer", "show", file)
    assert "400" in call("tokenizer", "compare", file, "--corpus", corpus)
    made = [tmp_path / name for name in ("ours", "theirs")]
    for tokenizer, tokens in zip((folder, file), made, strict=True):
        call("tokenize", corpus, "--tokenizer", tokenizer, "--output", tokens)
    one, other = (TokenShards(UPath(tokens)) for tokens in made)
    assert np.array_equal(one.split()[0].ids, other.split()[0].ids)


def test_a_tokenizer_of_which_we_have_no_form_runs_in_its_library(corpus, tmp_path):
    uni, file, out = tmp_path / "uni", tmp_path / "tokenizer.json", tmp_path / "back"
    call("tokenizer", "train", corpus, "--algorithm", "unigram", "--vocab-size", 400, "--output", uni)
    call("tokenizer", "export", uni, "--format", "hf", "--output", file)
    told = call("tokenizer", "import", file, "--output", out)
    assert "backend: tokenizers" in told and "run by tokenizers: the model is Unigram" in told
    assert "that of the file, run by tokenizers" in call("tokenizer", "show", out)
    call("tokenize", corpus, "--tokenizer", out, "--output", tmp_path / "tokens", "--workers", 2)
    assert "bytes per token" in call("tokens", "inspect", tmp_path / "tokens", "--check", "--rows", 1)
    assert "tokenizers has none; use a bpe tokenizer" in complaint("tokenizer", "encode", out, "a", "--dropout", 0.5)
    assert "only BPE with a list of merges" in complaint(
        "tokenizer", "extend", out, corpus, "--vocab-size", 900, "--output", tmp_path / "x"
    )
    assert not (tmp_path / "x" / "work" / "counts").exists()  # refused before words are counted
    small = "--set", "ngram.order=2", "--set", "ngram.discount_fallback=[0.5, 1.0, 1.5]", "--work", tmp_path / "work"
    call("ngram", "train", corpus, "--tokenizer", file, "--output", tmp_path / "n.ngram", *small)
    scored = call("ngram", "score", corpus, "--tokenizer", file, "--model", tmp_path / "n.ngram", *small[-2:])
    assert len(scored.splitlines()) == 120


def test_input_that_is_not_utf8_and_negative_ids_are_one_line(folder):
    assert "standard input is not UTF-8: found bytes ff" in complaint("tokenizer", "encode", folder, text=b"a\n\xff\n")
    assert "-1 is not in the range" in told_of_usage("tokenizer", "decode", folder, 5, -1)


def told_of_usage(*arguments):
    done = CliRunner().invoke(group, [str(a) for a in arguments])
    assert done.exit_code == 2
    return done.output


def test_mistakes_are_one_line(corpus, folder, tmp_path):
    out = ("--output", tmp_path / "out")
    assert "more than the corpus gives" in complaint("tokenizer", "train", corpus, "--vocab-size", 90_000, *out)
    assert "no room" in complaint("tokenizer", "train", corpus, "--vocab-size", 100, *out)
    assert "did you mean 'gpt2'" in complaint("tokenizer", "train", corpus, "--pretokenizer", "gpt", *out)
    assert "did you mean 'nfkc'" in complaint("tokenizer", "train", corpus, "--normalizer", "nfkcc", *out)
    assert "named twice" in complaint("tokenizer", "train", corpus, "--special", "<s>", "--special", "<s>", *out)
    assert "did you mean 'min_frequency'" in complaint(
        "tokenizer", "train", corpus, "--set", "bpe.min_frequencies=2", *out
    )
    assert "holds none of gristmill.json" in complaint("tokenize", corpus, "--tokenizer", tmp_path, *out)
    assert "expected SHARD:POSITION" in complaint_of_trace(corpus, folder, tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    whole = (folder / FILE).read_bytes()
    (broken / FILE).write_bytes(whole[: len(whole) // 2])
    assert "cut short" in complaint("tokenizer", "show", broken)
    (broken / FILE).write_bytes(whole.replace(b'"version": 4', b'"version": 9'))
    assert "has version 9, expected 4" in complaint("tokenizer", "show", broken)
    (broken / "x.model").write_bytes(b"\xff\xff\xff")
    assert "SentencePiece" in complaint("tokenizer", "import", broken / "x.model", *out)
    assert "unigram splits text at" in complaint(
        "tokenizer", "train", corpus, "--algorithm", "unigram", "--pretokenizer", "gpt2", *out
    )


def complaint_of_trace(corpus, folder, tmp_path):
    call("tokenize", corpus, "--tokenizer", folder, "--output", tmp_path / "t")
    return complaint("tokens", "trace", tmp_path / "t", "nowhere")
