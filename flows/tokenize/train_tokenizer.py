"""Corpus to tokenizer: count the words of every shard, then train on the sums."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
from upath import UPath

from gristmill.flows.clean.corpus import split_corpus
from gristmill.flows.clean.recipe_files import make_change
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import InputSettings, Target, ingest_step
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENTS, TEXT
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.steps.step import (
    Engine,
    Input,
    Job,
    Output,
    Progress,
    Step,
    Written,
    input_of,
    run_serial,
    run_step,
)
from gristmill.pipelines.steps.threads import THREADS, map_threads
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import read_batches
from gristmill.pipelines.tokens.encode import TokenizerInfo
from gristmill.pipelines.tokens.steps import digest
from gristmill.tokenizers_lab.count.word_counts import MEMORY_BYTES, WordCounter, WordCounts, merge
from gristmill.tokenizers_lab.count_settings import CountSettings
from gristmill.tokenizers_lab.extend import check_extendable, extend
from gristmill.tokenizers_lab.formats.detect import find_file
from gristmill.tokenizers_lab.formats.model import FILE, Model, finish_model, read_model, write_model
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train

WORK, COUNTS, SHARD_COUNTS = "work", "counts", "shard_counts"  # folders of the tokenizer's
BLOCK_BYTES = 2 << 20  # of raw text to hold at a time
LINES = "lines"  # the pre-tokenizer that joins words
TABLES = ("bpe", "unigram", "wordpiece", "roles")


def tokenizer_settings(given: dict, changes: Sequence[str] = ()) -> TokenizerSettings:
    """Read settings from options, and from changes such as ``bpe.min_frequency=2``."""
    tables: dict[str, dict] = {name: {} for name in TABLES}
    for change in changes:
        make_change(tables, change, "TABLE.SETTING=VALUE")
    options = {key: value for key, value in given.items() if value is not None}
    settings = read_settings(TokenizerSettings, options | {k: v for k, v in tables.items() if v}, "tokenizer train")
    settings.resolved()  # raises before anything is read
    return settings


def train_tokenizer(
    corpus: Sequence[str],
    output: UPath,
    settings: TokenizerSettings,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Model:
    """Train ``OUTPUT/gristmill.json``: the same bytes for any number of workers and any order of shards.

    The counts of each shard remain in ``OUTPUT/work``, so another vocabulary with the same pre-tokenizer counts nothing
    again.
    """
    counting = settings.count_settings()
    with exclusive_run(output / WORK):
        folders = count_words(corpus, output / WORK, counting, engine, progress)
        made_with = settings.model_dump(mode="json")
        output_file = Output(output, FILE, tuple(Input(folder, kind=COUNTS) for folder in folders), made_with)
        jobs = [Job(train_job, (folders, settings, report), (output_file,))]
        run_step(Step("train", {output: made_with}, jobs), run_serial, progress)
    return read_model(output)


def extend_tokenizer(
    tokenizer: str,
    corpus: Sequence[str],
    output: UPath,
    vocab_size: int,
    join_words: bool = False,
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> Model:
    """Train a larger tokenizer in ``OUTPUT`` with the words of a corpus, or with its lines to join words."""
    model = load_any(to_path(tokenizer))
    check_extendable(model, vocab_size)  # before words are counted
    pretokenizer = LINES if join_words else model.pretokenizer
    with exclusive_run(output / WORK):
        folders = count_words(corpus, output / WORK, CountSettings(pretokenizer, model.normalizers), engine, progress)
        larger = extend(model, read_counts(folders), vocab_size, pretokenizer)
        finish_model(larger, output)
    return larger


def count_words(
    corpus: Sequence[str],
    work: UPath,
    counting: CountSettings,
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> list[UPath]:
    """Count the words of the corpus, and return the folders of the counts under ``WORK``.

    Raw files are counted as they are read: their documents are not written. The counts of shards are in a folder of
    their own.
    """
    shards, raw = split_corpus(corpus)
    counted = {key: [*value] if isinstance(value, tuple) else value for key, value in counting._asdict().items()}
    write, folders = CountWriter(counting), []
    if raw:
        target = Target("count words", COUNTS, write, counted, BLOCK_BYTES)
        run_step(ingest_step(work, [InputSettings(paths=raw)], target), engine, progress)
        folders.append(work / COUNTS)
    if shards:
        folders.append(work / SHARD_COUNTS)
        jobs = []
        for n, (shard, file) in enumerate(sorted(shards.items(), key=lambda item: item[1]["sha256"])):
            part = Output(folders[-1], f"part-{n:05d}", (shard,), counted)
            jobs.append(Job(count_shard, (write,), (part,), file["bytes"]))
        run_step(Step("count words", {folders[-1]: counted}, jobs), engine, progress)
    return folders


def read_counts(folders: Iterable[UPath]) -> WordCounts:
    """Return the words of all shards and files."""
    tables = [
        folder / name for folder in folders for name in sorted(require_finished(folder, "count the corpus again").files)
    ]
    return merge(WordCounts.load(table)[0] for table in tables)


@dataclass(frozen=True)
class CountWriter:
    """Writer of the words of tables of documents as one table of counts; each thread of a lone job has a counter."""

    counting: CountSettings

    def __call__(self, tables: Iterable[pa.Table], output: Output) -> Written:
        idle: list[WordCounter] = []
        memory = MEMORY_BYTES // THREADS.get()

        def count(table: pa.Table) -> Counter[str]:
            try:
                counter = idle.pop()
            except IndexError:  # all are at work
                counter = WordCounter(self.counting.pretokenizer, memory)
            text = Ragged.from_text(table[TEXT])
            counter.add(self.counting(text))
            idle.append(counter)
            return Counter(documents=text.rows, bytes=text.data.size)

        told = sum(map_threads(count, tables), Counter(documents=0, bytes=0))
        words = merge(map_threads(WordCounter.finish, idle))
        words.save(output.path, self.counting.pretokenizer)
        return Written([output.path.name], {**told, "words": int(words.counts.sum())})


def count_shard(write: CountWriter, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the words of one shard."""
    return [write(read_batches(input_of(outputs, DOCUMENTS).path, [TEXT]), outputs[0])]


def train_job(
    folders: list[UPath], settings: TokenizerSettings, report: Callable[[str], None], outputs: tuple[Output, ...]
) -> list[Written]:
    """Train the tokenizer on the counts of all shards and files."""
    model = train(read_counts(folders), settings, report)
    write_model(model, outputs[0].folder)
    return [Written([FILE], {"pieces": model.size, "merges": len(model.merges)})]


class CachedEncoder(NamedTuple):
    """Tokenizer for worker processes: it pickles as the path of its file, and is opened once per process."""

    file: UPath
    info: TokenizerInfo

    def __call__(self, text: Ragged) -> Ragged:
        return _opened(str(self.file), self.info.sha256)(text)


_OPEN: dict[tuple[str, str], Tokenizer] = {}  # one per process: its cache stays warm from shard to shard


def _opened(file: str, sha256: str) -> Tokenizer:
    if (file, sha256) not in _OPEN:
        _OPEN.clear()
        _OPEN[file, sha256] = Tokenizer.load(file)
    return _OPEN[file, sha256]


def load_encoder(path: str, work: UPath | None = None) -> CachedEncoder:
    """Load the tokenizer in a folder or a file, ready for token shards; one of another library is imported to WORK."""
    file = find_file(to_path(path))
    if file.name != FILE:
        if work is None:
            raise RecipeError(f"{file} belongs to another library; read it with `gristmill tokenizer import` first")
        finish_model(load_any(file), work / "tokenizer")
        file = work / "tokenizer" / FILE
    model, sha256 = Tokenizer.load(file).model, digest(file)  # workers then map the snapshot
    return CachedEncoder(file, TokenizerInfo(model.size, model.role("bos"), model.role("eos"), sha256))
