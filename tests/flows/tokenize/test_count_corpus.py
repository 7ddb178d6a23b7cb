"""The words of a corpus are counted the same from raw files and from shards, by any number of threads."""

import gzip
import json

import pytest
from corpora import documents, write_jsonl
from upath import UPath

from gristmill.flows.tokenize import train_tokenizer
from gristmill.flows.tokenize.train_tokenizer import count_words, read_counts
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.ingest.ingest import InputSettings, ingest_step
from gristmill.pipelines.steps.step import run_step
from gristmill.pipelines.steps.threads import thread_limit
from gristmill.tokenizers_lab.count_settings import CountSettings

GPT2 = CountSettings("gpt2")


@pytest.fixture
def raw(tmp_path):
    write_jsonl(tmp_path / "raw" / "a.jsonl", documents(60))
    with gzip.open(tmp_path / "raw" / "b.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"text": f"row {n} naïve 漢字"}) + "\n" for n in range(500))
    return tmp_path / "raw"


def counted(corpus, work, counting=GPT2):
    words, counts = read_counts(count_words([*map(str, corpus)], UPath(work), counting))
    return {words.row(row): int(count) for row, count in enumerate(counts)}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("block", [200, 2 << 20])
def test_threads_and_blocks_change_no_count(raw, tmp_path, monkeypatch, threads, block):
    expected = counted([raw], tmp_path / "plain")
    assert expected[b"row"] == 500
    monkeypatch.setattr(train_tokenizer, "BLOCK_BYTES", block)
    with thread_limit(threads):
        assert counted([raw], tmp_path / "work") == expected


def test_shards_and_raw_files_count_alike_and_add_up(raw, tmp_path):
    run_step(ingest_step(UPath(tmp_path / "run"), [InputSettings(paths=[str(raw)])]))
    once = counted([raw], tmp_path / "raw-work")
    assert counted([tmp_path / "run" / "documents"], tmp_path / "shard-work") == once
    both = counted([raw, tmp_path / "run" / "documents"], tmp_path / "both")
    assert both == {word: 2 * count for word, count in once.items()}


def test_another_pretokenizer_counts_again_and_the_same_one_does_not(raw, tmp_path):
    first = counted([raw], tmp_path / "work")
    file = next((tmp_path / "work" / "counts").glob("*.parquet"))
    written = file.stat().st_mtime_ns
    assert counted([raw], tmp_path / "work") == first and file.stat().st_mtime_ns == written
    assert counted([raw], tmp_path / "work", CountSettings("whitespace")) != first


def test_records_that_cannot_be_read_are_kept_apart(raw, tmp_path):
    (raw / "c.jsonl").write_text("no JSON\n" + '{"text": "good"}\n' * 2000)
    assert counted([raw], tmp_path / "work")[b"good"] == 2000
    (reject,) = next((tmp_path / "work" / "rejects").glob("*.jsonl")).read_text().splitlines()
    assert json.loads(reject)["position"] == 1
    (raw / "d.jsonl").write_text("no JSON\n" * 3000)
    with pytest.raises(GristmillError, match="could not be read"):
        counted([raw], tmp_path / "work")
