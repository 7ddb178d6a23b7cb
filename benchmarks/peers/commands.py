"""Whole commands of other tools, from JSON lines to files: ``python commands.py NAME SOURCE TARGET [ARGUMENT]``.

Each function is one job as its tool's users write it, on one core, with the tool's own settings unless a comment says
otherwise. SOURCE is a file of JSON lines with id and text; TARGET is a new folder. Imports are part of the command.
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


def read(source: str) -> Iterator[dict]:
    with open(source, encoding="utf-8") as file:
        yield from map(json.loads, file)


def write(target: str, rows: Iterator[dict]) -> None:
    os.makedirs(target)
    with open(f"{target}/part.jsonl", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def shingles(text: str) -> list[str]:
    import re

    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[i : i + 5]) for i in range(max(len(words) - 4, 1))]


# datatrove


def _reader(source: str):
    from datatrove.pipeline.readers import JsonlReader

    folder = f"{source}.folder"  # datatrove reads folders
    if not os.path.isdir(folder):
        os.makedirs(f"{folder}.new", exist_ok=True)
        shutil.copy(source, f"{folder}.new/part.jsonl")
        os.rename(f"{folder}.new", folder)
    return JsonlReader(folder)


def _run(target: str, *pipelines: list, tasks: dict[int, int] | None = None) -> None:
    from datatrove.executor import LocalPipelineExecutor

    with contextlib.redirect_stdout(sys.stderr):
        for number, pipeline in enumerate(pipelines):
            many = (tasks or {}).get(number, 1)
            LocalPipelineExecutor(pipeline, tasks=many, workers=1, logging_dir=f"{target}/logs{number}").run()


def _minhash(target: str, source_step, after: list, writer) -> None:
    from datatrove.pipeline.dedup import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )

    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8)
    signatures, buckets, gone = (f"{target}/{name}" for name in ("signatures", "buckets", "gone"))
    _run(
        target,
        [source_step(), MinhashDedupSignature(signatures, config)],
        [MinhashDedupBuckets(signatures, buckets, config=config)],
        [MinhashDedupCluster(buckets, gone, config=config)],
        [source_step(), MinhashDedupFilter(gone), *after, writer],
        tasks={1: config.num_buckets},
    )


def datatrove_fineweb(source: str, target: str, model: str) -> None:
    """Run FineWeb's filters, MinHash and PII formatter; ``model`` is lid.176, which datatrove would download."""
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
        LanguageFilter,
    )
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from datatrove.utils import lid

    lid.cached_asset_path_or_download = lambda *_, **__: model
    filters = [
        LanguageFilter(),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
    ]
    _run(target, [_reader(source), *filters, ParquetWriter(f"{target}/filtered")])
    _minhash(
        target,
        lambda: ParquetReader(f"{target}/filtered"),
        [PIIFormatter()],
        ParquetWriter(f"{target}/clean"),
    )


def datatrove_near(source: str, target: str) -> None:
    from datatrove.pipeline.writers import JsonlWriter

    _minhash(target, lambda: _reader(source), [], JsonlWriter(f"{target}/kept"))


def datatrove_decontaminate(source: str, target: str, evaluation: str) -> None:
    """Index the n-grams of questions and answers, then filter. lighteval, whose tasks are not used, is replaced."""
    from datatrove.data import Document
    from datatrove.pipeline.decont import NGramsDecontFilter, NGramsDecontIndexer
    from datatrove.pipeline.writers import JsonlWriter

    for name in ("lighteval", "lighteval.tasks", "lighteval.tasks.lighteval_task", "lighteval.tasks.registry"):
        sys.modules[name] = ModuleType(name)
    vars(sys.modules["lighteval.tasks.registry"])["Registry"] = lambda **_: SimpleNamespace(get_task_dict=lambda _: {})
    vars(sys.modules["lighteval.tasks.lighteval_task"])["LightevalTask"] = SimpleNamespace(load_datasets=lambda _: None)
    NGramsDecontIndexer._requires_dependencies = []
    labels = [row["labels"] for row in read(evaluation)]
    items = [
        Document(text=str(label["answer"]), id=str(i), metadata={"query": label["question"]})
        for i, label in enumerate(labels)
    ]
    index = f"{target}/index"
    _run(
        target,
        [items, NGramsDecontIndexer(index)],
        [_reader(source), NGramsDecontFilter(index), JsonlWriter(f"{target}/kept")],
    )


def datatrove_pii(source: str, target: str) -> None:
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.pipeline.writers import JsonlWriter

    _run(target, [_reader(source), PIIFormatter(), JsonlWriter(f"{target}/clean")])


def datatrove_tokenize(source: str, target: str, tokenizer: str) -> None:
    from datatrove.pipeline.tokens import DocumentTokenizer

    step = DocumentTokenizer(f"{target}/tokens", tokenizer_name_or_path=tokenizer, eos_token="<|endoftext|>", seed=0)
    _run(target, [_reader(source), step])


# near-duplicates: shingles by `re`, signatures, buckets, the first of each bucket's documents kept, nothing verified


def rensa_near(source: str, target: str) -> None:
    from rensa import RMinHash, RMinHashDeduplicator

    rows, dedup = list(read(source)), RMinHashDeduplicator(0.8, 128, True, 16)
    found = {row["id"]: RMinHash(128, 42) for row in rows}
    for row in rows:
        found[row["id"]].update(shingles(row["text"]))
    write(target, (row for row in rows if dedup.add(row["id"], found[row["id"]])))


def datasketch_near(source: str, target: str) -> None:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=0.8, num_perm=128)

    def kept(row: dict) -> bool:
        sketch = MinHash(num_perm=128)
        sketch.update_batch([shingle.encode() for shingle in shingles(row["text"])])
        if index.query(sketch):
            return False
        index.insert(row["id"], sketch)
        return True

    write(target, filter(kept, read(source)))


def text_dedup_near(source: str, target: str) -> None:
    """Run with a cache of its own, since a second run with the same cache would compute nothing."""
    options = f"--path json --data_files {source} --split train --column text --num_perm 128 --ngram 5 --threshold 0.8"
    folders = f"--output {target}/kept --cache_dir {target}/cache --num_proc 1"
    os.execv(sys.executable, [sys.executable, "-m", "text_dedup.minhash", *options.split(), *folders.split()])


# Data-Juicer, by its own process


JUICER = """\
dataset_path: {source}
export_path: {target}/clean.jsonl
work_dir: {target}
np: 1
use_cache: false
process:
  - clean_email_mapper:
  - clean_ip_mapper:
  - alphanumeric_filter:
  - average_line_length_filter:
  - character_repetition_filter:
  - maximum_line_length_filter:
  - special_characters_filter:
  - text_length_filter: {{min_len: 100}}
  - word_repetition_filter:
  - words_num_filter: {{min_num: 20}}
  - document_deduplicator:
  - document_minhash_deduplicator: {{jaccard_threshold: 0.8}}
"""


def juicer_clean(source: str, target: str) -> None:
    """Run the operators nearest to the default recipe; those of language and perplexity would download models."""
    os.makedirs(target)
    Path(f"{target}/recipe.yaml").write_text(JUICER.format(source=os.path.abspath(source), target=target))
    os.execv(f"{Path(sys.executable).parent}/dj-process", ["dj-process", "--config", f"{target}/recipe.yaml"])


# personal data: e-mail, phone, IP and card numbers


def presidio_pii(source: str, target: str) -> None:
    """Use presidio's pattern recognizers alone: its model of names would take most of the time."""
    import tldextract
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        EmailRecognizer,
        IpRecognizer,
        PhoneRecognizer,
    )

    tldextract.extract = tldextract.TLDExtract(
        suffix_list_urls=()
    )  # its own list; it would ask the network for another
    finders = [EmailRecognizer(), PhoneRecognizer(), IpRecognizer(), CreditCardRecognizer()]

    def replaced(text: str) -> str:
        found = [span for finder in finders for span in finder.analyze(text, finder.supported_entities, None) or ()]
        for span in sorted(found, key=lambda span: -span.start):
            text = f"{text[: span.start]}<{span.entity_type}>{text[span.end :]}"
        return text

    write(target, ({**row, "text": replaced(row["text"])} for row in read(source)))


def trafilatura_extract(source: str, target: str) -> None:
    from trafilatura import extract

    write(target, ({"id": row["id"], "text": extract(row["html"]) or ""} for row in read(source)))


# tokenizers


def tokenizers_bpe(source: str, target: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=32_000, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator((row["text"] for row in read(source)), trainer)
    os.makedirs(target)
    bpe.save(f"{target}/tokenizer.json")


def rustbpe_bpe(source: str, target: str) -> None:
    from rustbpe import Tokenizer

    bpe = Tokenizer()
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    bpe.train_from_iterator((row["text"] for row in read(source)), 32_000, pattern=pattern)
    write(target, ({"piece": piece.hex(), "id": id} for piece, id in bpe.get_mergeable_ranks()))


def gigatoken_bpe(source: str, target: str) -> None:
    from gigatoken import train_bpe

    separator = b"\x00<end of document>\x00"
    text = separator.join(row["text"].encode() for row in read(source))
    _, merges = train_bpe(text, 32_000, [], separator=separator)
    write(target, ({"merge": [left.hex(), right.hex()]} for left, right in merges))


def gigabpe_bpe(source: str, target: str) -> None:
    import gigabpe

    os.makedirs(target)
    with open(f"{target}/corpus.txt", "w", encoding="utf-8") as file:  # gigabpe reads plain text
        file.writelines(row["text"] + "\n" for row in read(source))
    gigabpe.train_tokenizer(
        [f"{target}/corpus.txt"], 32_000, f"{target}/tokenizer.json", pretokenizer="bytelevel", threads=1
    )


def sentencepiece_bpe(source: str, target: str) -> None:
    _sentencepiece(source, target, "bpe")


def sentencepiece_unigram(source: str, target: str) -> None:
    _sentencepiece(source, target, "unigram")


def _sentencepiece(source: str, target: str, kind: str) -> None:
    from sentencepiece import SentencePieceTrainer

    os.makedirs(target)
    lines = (line for row in read(source) for line in row["text"].split("\n") if line.strip())
    SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=f"{target}/model", vocab_size=32_000, model_type=kind, num_threads=1,
        max_sentence_length=1 << 30, minloglevel=2,
    )  # fmt: skip


def tokenizers_wordpiece(source: str, target: str) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=30_000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator((row["text"] for row in read(source)), trainer)
    os.makedirs(target)
    tokenizer.save(f"{target}/tokenizer.json")


def megatron_tokenize(source: str, target: str, tokenizer: str) -> None:
    """Encode and write as Megatron's tools/preprocess_data.py does, whose encoder is tokenizers."""
    import numpy
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
    from tokenizers import Tokenizer

    os.makedirs(target)
    encoder, builder = Tokenizer.from_file(tokenizer), IndexedDatasetBuilder(f"{target}/tokens.bin", numpy.uint16)
    end = encoder.token_to_id("<|endoftext|>")
    for row in read(source):
        ids = [*encoder.encode(row["text"]).ids, end]
        builder.add_document(torch.IntTensor(ids), [len(ids)])
    builder.finalize(f"{target}/tokens.idx")


def main(name: str, source: str, target: str, *arguments: str) -> None:
    globals()[name](source, str(Path(target).resolve()), *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
