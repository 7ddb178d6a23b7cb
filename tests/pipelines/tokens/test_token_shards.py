"""Token shards hold every document whole, once or as often as asked, wherever and by whomever they were made."""

import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.steps.step import Input, run_step
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import write_shard
from gristmill.pipelines.tokens.encode import TokenizerInfo
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.shards import TokenFolder, TokenShard, TokenShards
from gristmill.pipelines.tokens.shuffle import NAMES, _read_ids, is_validation, scramble
from gristmill.pipelines.tokens.steps import encode_step, gather_step
from tests.corpora import finish, tree

BOS, EOS = 256, 257
CLUSTERED = DOCUMENT.append(pa.field("cluster_size", pa.int32()))
INFO = TokenizerInfo(258, BOS, EOS, "bytes")


@dataclass(frozen=True)
class Bytes:
    """A tokenizer whose ids are the bytes."""

    file: UPath
    info: TokenizerInfo = INFO

    def __call__(self, text: Ragged) -> Ragged:
        return Ragged(text.offsets, text.data.astype(np.uint16))


def documents(n=200, seed=0):
    random.seed(seed)
    texts = ["".join(random.choices("ab cé漢\0\n", k=random.choice((0, 1, 7, 60)))) for _ in range(n)]
    return [{"id": f"d{i}", "text": text, "source": f"s{i % 3}"} for i, text in enumerate(texts)]


def make(folder, rows, cuts=1, settings=None, info=INFO, **changes):
    """Token shards of rows that lie in so many files."""
    shards = {}
    for k in range(cuts):
        path = UPath(folder / "in" / f"{k}.parquet")
        schema = CLUSTERED if any("cluster_size" in row for row in rows[k::cuts]) else DOCUMENT
        tables = [pa.Table.from_pylist(rows[k::cuts][i : i + 30], schema) for i in range(0, len(rows[k::cuts]), 30)]
        write_shard(path, tables, schema)
        shards[Input(path.parent, path.stem, DOCUMENTS)] = {"bytes": path.stat().st_size}
    finish(UPath(folder / "in"))
    (folder / "bytes.json").write_text("{}")
    coder, tokens = Bytes(UPath(folder / "bytes.json"), info), UPath(folder / "tokens")
    settings = settings or TokenSettings(**{"tokens_per_shard": 2000, "validation": 0.1} | changes)
    run_step(encode_step(shards, coder, tokens))
    run_step(gather_step(tokens, coder, settings))
    return TokenShards(tokens)


def read(tokens, split):
    """Id -> the ids of each of its copies, by split."""
    found = {}
    for shard in tokens.split(split):
        first = 0
        for row, end, size in zip(shard.documents.to_pylist(), shard.ends, shard.bytes, strict=True):
            found.setdefault(row["id"], []).append((shard.ids[first:end].tolist(), int(size)))
            first = end
        assert first == shard.ids.size
    return found


@pytest.mark.parametrize("add_special", ["prepend", "append", "both", "none"])
def test_every_document_is_there_once_and_whole(tmp_path, add_special):
    rows = documents()
    tokens = make(tmp_path, rows, add_special=add_special)
    tokens.check()
    train, held_out = read(tokens, "train"), read(tokens, "validation")
    assert not train.keys() & held_out.keys() and len(tokens.names("train")) > 2
    everything = train | held_out
    for row in rows:
        text = row["text"].encode()
        ids = [BOS] * (add_special in ("prepend", "both")) + [*text] + [EOS] * (add_special in ("append", "both"))
        assert everything.pop(row["id"]) == [(ids, len(text))]
    assert not everything


def test_a_shard_may_have_no_documents(tmp_path):
    shards = make(tmp_path, documents(20), tokens_per_shard=16).split("train")
    assert 5 < sum(not shard.ends.size for shard in shards) == sum(not shard.ids.size for shard in shards)


def test_the_cut_and_order_of_the_input_do_not_matter(tmp_path):
    rows = documents()
    make(tmp_path / "a", rows)
    random.Random(1).shuffle(rows)
    make(tmp_path / "b", rows, cuts=3)
    files = [tree(tmp_path / name, "tokens") for name in "ab"]
    payloads = [{k: v for k, v in f.items() if "encoded" not in k and "manifest" not in k} for f in files]
    assert payloads[0] == payloads[1] and len(payloads[0]) > 12


def test_a_seed_shuffles_and_holds_out_the_same_documents(tmp_path):
    rows = documents()
    a, b = (make(tmp_path / str(seed), rows, seed=seed) for seed in (1, 2))
    assert read(a, "validation") == read(b, "validation")
    orders = [[row["id"] for s in t.split("train") for row in s.documents.to_pylist()] for t in (a, b)]
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])
    neighbors = sum(int(x[1:]) + 1 == int(y[1:]) for x, y in zip(orders[0], orders[0][1:], strict=False))
    assert neighbors < 8  # of 200: the order of the input is gone


def test_another_mixture_encodes_nothing_anew(tmp_path):
    rows = documents()
    make(tmp_path, rows)
    encoded = Manifest.read(UPath(tmp_path / "tokens" / "encoded"))
    tokens = make(tmp_path, rows, epochs={"s0": 2.5, "s1": 0.5})
    assert Manifest.read(UPath(tmp_path / "tokens" / "encoded")) == encoded
    often = Counter()
    for id, copies in read(tokens, "train").items():
        assert all(copy == copies[0] for copy in copies)
        often[f"s{int(id[1:]) % 3}", len(copies)] += 1
    assert {n for (source, n) in often if source == "s0"} == {2, 3} and often["s0", 2] > 15 < often["s0", 3]
    assert {n for (source, n) in often if source == "s1"} == {1} and 15 < often["s1", 1] < 45
    assert {n for (source, n) in often if source == "s2"} == {1} and often["s2", 1] > 50
    held_out = {id for id in read(tokens, "validation")}
    assert held_out == {id for id in read(make(tmp_path / "plain", rows), "validation")}


def test_documents_are_there_as_often_as_their_cluster_size_says(tmp_path):
    """The weight of a size multiplies the epochs of the source, for any cut of the input, of none held out."""
    sizes = [None, 1, 2, 3, 9]
    rows = [row | {"cluster_size": sizes[i % 5]} for i, row in enumerate(documents(600))]
    upsample = {"upsample": {2: 2.0, 4: 2.5}, "epochs": {"s1": 2.0}}
    tokens = make(tmp_path / "a", rows, **upsample)
    tokens.check()
    often = {}
    for id, copies in read(tokens, "train").items():
        number = int(id[1:])
        often.setdefault((number % 3 == 1, sizes[number % 5]), Counter())[len(copies)] += 1
    for (doubled, size), counts in often.items():
        expected = {None: {1}, 1: {1}, 2: {2}, 3: {2}, 9: {5} if doubled else {2, 3}}[size]
        assert set(counts) == ({2 * n for n in expected} if doubled and size != 9 else expected), (doubled, size)
    assert read(tokens, "validation") == read(make(tmp_path / "plain", rows), "validation")
    copies = Counter(row["id"] for shard in tokens.split("train") for row in shard.documents.to_pylist())
    train = sum(n * (len(row["text"].encode()) + 1) for row in rows if (n := copies[row["id"]]))
    assert tokens.manifest.counts["tokens"] == train + sum(shard.ids.size for shard in tokens.split("validation"))
    expected = {source["name"]: source["tokens"] * source["epochs"] for source in tokens.about["mixture"]}
    assert sum(expected.values()) == pytest.approx(train, rel=0.05)
    random.Random(1).shuffle(rows)
    make(tmp_path / "b", rows, cuts=4, **upsample)
    payloads = [{k: v for k, v in tree(tmp_path / n, "tokens").items() if k.endswith((".bin", ".ends"))} for n in "ab"]
    payloads = [{k: v for k, v in payload.items() if "encoded" not in k} for payload in payloads]
    assert payloads[0] == payloads[1] and len(payloads[0]) > 8


def test_other_weights_encode_nothing_anew_and_parts_without_sizes_count_once(tmp_path):
    rows = documents(60)
    with pytest.raises(RecipeError, match="upsample needs the column 'cluster_size' in the documents, found none"):
        make(tmp_path, rows, upsample={2: 2.0})
    rows = [row | {"cluster_size": 2} if i % 2 else row for i, row in enumerate(rows)]
    make(tmp_path, rows, cuts=2)
    encoded = Manifest.read(UPath(tmp_path / "tokens" / "encoded"))
    tokens = make(tmp_path, rows, cuts=2, upsample={2: 3.0}, validation=0.0)
    assert Manifest.read(UPath(tmp_path / "tokens" / "encoded")) == encoded
    assert {id: len(copies) for id, copies in read(tokens, "train").items()} == {
        f"d{i}": 3 if i % 2 else 1 for i in range(60)
    }


def test_another_bos_is_written_though_the_encoded_text_is_the_same(tmp_path):
    before = make(tmp_path, documents()).shard("train-00000").ids[0]
    after = make(tmp_path, documents(), info=TokenizerInfo(258, EOS, BOS, "exchanged")).shard("train-00000").ids[0]
    assert (before, after) == (BOS, EOS)


def test_trace_names_the_document_of_every_token(tmp_path):
    rows = {row["id"]: row for row in documents()}
    tokens = make(tmp_path, list(rows.values()))
    for name in tokens.names():
        shard, first = tokens.shard(name), 0
        for d, end in enumerate(shard.ends):
            for position in {first, int(end) - 1}:
                place = shard.trace(position)
                assert (place.document, place.first, place.stop) == (d, first, end)
                assert (
                    bytes(shard.ids[place.first + 1 : place.stop].astype(np.uint8)) == rows[place.id]["text"].encode()
                )
                assert place.source == rows[place.id]["source"]
            first = int(end)
    with pytest.raises(WorkError, match=f"has no position {first}; expected 0 to {first - 1}"):
        shard.trace(first)


def test_what_does_not_fit_is_one_clear_error(tmp_path):
    tokens = make(tmp_path, documents())
    folder = tokens.folder
    with pytest.raises(WorkError, match="holds no token shards"):
        TokenShards(UPath(tmp_path))
    with pytest.raises(WorkError, match="another tokenizer"):
        TokenShards(folder, tokenizer="f" * 64)
    with pytest.raises(WorkError, match="no shard 'train-9'"):
        tokens.shard("train-9")
    payload = folder / "train-00000.bin"
    whole = payload.read_bytes()
    payload.write_bytes(whole[:-2])
    with pytest.raises(WorkError, match=f"has {len(whole) - 2:,} bytes, expected {len(whole):,}"):
        TokenShards(folder)
    payload.write_bytes(b"\xff\xff" + whole[2:])
    with pytest.raises(WorkError, match="checksum"):
        TokenShards(folder).check()
    with pytest.raises(WorkError, match="holds id 65535, outside the vocabulary of 258"):
        TokenShards(folder).shard("train-00000").check({})
    payload.unlink()
    with pytest.raises(WorkError, match="is missing"):
        TokenShards(folder)


def set_number(path, dtype, row, value):
    numbers = np.frombuffer(path.read_bytes(), dtype).copy()
    numbers[row] = np.array(value).astype(dtype)
    path.write_bytes(numbers.tobytes())


@pytest.mark.parametrize(
    ("file", "row", "value", "message"),
    [
        ("train-00000.ends", 1, -1, r"ends document 1 at -1, before its start"),
        ("train-00000.ends", 1, 2**63 - 1, r"ends document 2 at [\d,]+, before its start"),
        ("train-00000.ends", 0, 2**40, r"ends document 1 at [\d,]+, before its start"),
        ("train-00000.ends", -1, 2**40, r"ends at id 1,099,511,627,776, but train-00000\.bin holds"),
        ("train-00000.ends", -2, 2**64 - 1, r"ends document \d+ at -1, before its start"),
    ],
)
def test_ends_outside_the_ids_are_one_line(tmp_path, file, row, value, message):
    folder = make(tmp_path, documents()).folder
    set_number(folder / file, "<u8", row, value)
    with pytest.raises(WorkError, match=rf"{file} is damaged: it {message}"):
        TokenShards(folder).shard("train-00000")


def test_files_of_a_shard_that_differ_in_documents_are_one_line(tmp_path):
    folder = make(tmp_path, documents()).folder
    shard = TokenShards(folder).shard("train-00000")
    (folder / "train-00000.parquet").write_bytes((folder / "validation-00000.parquet").read_bytes())
    with pytest.raises(
        WorkError, match=rf"train-00000\.parquet is damaged: .*expected {shard.ends.size:,} of id, source"
    ):
        _ = shard.documents
    path = folder / "train-00000.parquet"
    odd = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, 1])), pa.py_buffer(b"\xff"))
    column = pa.chunked_array([odd] * shard.ends.size)
    write_shard(path, [pa.table({"id": column, "source": column})], NAMES)
    with pytest.raises(WorkError, match=r"train-00000\.parquet is damaged .*UTF"):
        _ = shard.documents
    (folder / "train-00000.parquet").write_bytes(b"PAR1" * 9)
    with pytest.raises(WorkError, match=r"train-00000\.parquet is damaged"):
        _ = shard.documents
    (folder / "train-00000.bytes").write_bytes((folder / "train-00000.bytes").read_bytes()[:-4])
    with pytest.raises(WorkError, match=r"holds \d+ documents, train-00000\.bytes \d+"):
        TokenShard(folder, "train-00000", "<u2", 258)
    (folder / "train-00000.bytes").write_bytes(b"abc")
    with pytest.raises(WorkError, match=r"train-00000\.bytes is damaged: it has 3 bytes, no multiple of 4"):
        TokenShard(folder, "train-00000", "<u2", 258)


@pytest.mark.parametrize(
    ("key", "value"), [("dtype", "<u8"), ("vocab_size", 0), ("bos", -1), ("tokenizer", {"file": "../x", "sha256": ""})]
)
def test_settings_that_no_shards_have_are_one_line(tmp_path, key, value):
    settings = make(tmp_path, documents(9)).about
    read_settings(TokenFolder, settings, "manifest.json, settings")
    with pytest.raises(RecipeError, match=rf"manifest\.json, settings: {key}.*found"):
        read_settings(TokenFolder, settings | {key: value}, "manifest.json, settings")


@pytest.mark.parametrize("counts", [[-1, 4, 0], [3, 2**62, 0], [2, 2, 0], [2, 0, 0]])
def test_counts_that_do_not_match_the_ids_of_a_part_are_one_line(tmp_path, counts):
    path = UPath(tmp_path / "part.ids")
    path.write_bytes(bytes(6))
    with pytest.raises(WorkError, match=r"part\.ids is damaged: it has 6 bytes, but its documents' ids of 2 bytes"):
        _read_ids(path, np.dtype("<u2"), np.array(counts))
    assert _read_ids(path, np.dtype("<u2"), np.array([0, 3, 0])).size == 3


def test_a_boundary_needs_its_token(tmp_path):
    make(tmp_path, documents())
    coder = Bytes(UPath(tmp_path / "bytes.json"), TokenizerInfo(256, None, None, "bare"))
    with pytest.raises(RecipeError, match="special token for EOS"):
        gather_step(UPath(tmp_path / "tokens"), coder, TokenSettings(add_special="append"))


def test_an_empty_corpus_gives_no_shards(tmp_path):
    assert make(tmp_path, []).names() == []


def test_kernels_against_plain_python():
    text = Ragged.from_strings(["", "ab", "c", "", "déf"])
    order = np.array([4, 0, 2, 1, 3])
    assert gather_rows(text, order).data.tobytes() == b"".join(text.row(i) for i in order)
    assert len(set(hash_rows(*text).tolist())) == 4  # the two blank ones are alike


def scramble_plain(x, salts):
    for salt in salts:
        x ^= (salt + 1) * 0x9E3779B97F4A7C15 % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        x ^= x >> 31
    return x


def test_scrambled_hashes_are_even_and_independent():
    hashes = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    for salts in ((1,), (3, 7, 0)):
        assert scramble(hashes, *salts)[:50].tolist() == [scramble_plain(int(x), salts) for x in hashes[:50]]
    a, b = scramble(hashes, 1) / 2.0**64, scramble(hashes, 2) / 2.0**64
    assert abs(a.mean() - 0.5) < 0.01 and abs(np.corrcoef(a, b)[0, 1]) < 0.03
    assert abs(is_validation(hashes, 0.1).mean() - 0.1) < 0.01
