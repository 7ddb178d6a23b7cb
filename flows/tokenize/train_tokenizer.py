"""Corpus to tokenizer: count the words of every shard, then train on the sums."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.clean.corpus import corpus_shards, split_corpus
from gristmill.flows.clean.recipe_files import make_change
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.errors import InputError, RecipeError
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
    release_memory,
    run_serial,
    run_step,
)
from gristmill.pipelines.steps.threads import THREADS, map_threads
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import read_batches, shard_schema
from gristmill.pipelines.tokens.encode import TokenizerInfo
from gristmill.pipelines.tokens.steps import digest
from gristmill.tokenizers_lab.count.word_counts import MEMORY_BYTES, WordCounter, WordCounts, merge
from gristmill.tokenizers_lab.count_settings import CountSettings
from gristmill.tokenizers_lab.extend import check_extendable, extend
from gristmill.tokenizers_lab.formats.detect import find_file
from gristmill.tokenizers_lab.formats.model import FILE, Model, finish_model, read_model, write_model
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.parity import LanguageCounts, content_of
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train, train_parity

WORK = "work"  # subfolder of the tokenizer's, for counts:
COUNTS, SUPERWORDS, LANGUAGES = "counts", "superwords", "languages"
BLOCK_BYTES = 2 << 20  # of raw text to hold at a time
LINES = "lines"  # the pre-tokenizer that joins words
TABLES = ("bpe", "superbpe", "parity", "unigram", "wordpiece", "roles")


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
    work, counting, superwords = output / WORK, settings.count_settings(), settings.superword_settings()
    with exclusive_run(work):
        if column := settings.parity.column:
            folders = {LANGUAGES: [count_languages(corpus, work, counting, column, engine, progress)]}
        else:
            folders = {COUNTS: count_words(corpus, work, counting, engine, progress)}
        if superwords:
            folders[SUPERWORDS] = count_words(corpus, work, superwords, engine, progress, SUPERWORDS)
        made_with = settings.model_dump(mode="json")
        inputs = tuple(Input(folder, kind=kind) for kind, each in folders.items() for folder in each)
        jobs = [Job(train_job, (folders, settings, report), (Output(output, FILE, inputs, made_with),))]
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
    name: str = COUNTS,
) -> list[UPath]:
    """Count the words of the corpus, and return the folders of the counts: ``WORK/name`` and ``WORK/shard_name``.

    Raw files are counted as they are read: their documents are not written. The counts of shards are in a folder of
    their own.
    """
    shards, raw = split_corpus(corpus)
    counted, write, folders = _as_json(counting), CountWriter(counting), []
    title = "count words" if name == COUNTS else f"count {name}"
    if raw:
        target = Target(title, name, write, counted, BLOCK_BYTES)
        run_step(ingest_step(work, [InputSettings(paths=raw)], target), engine, progress)
        folders.append(work / name)
    if shards:
        folders.append(work / f"shard_{name}")
        run_step(_counting_step(title, shards, folders[-1], count_shard, (write,), counted), engine, progress)
    return folders


def count_languages(
    corpus: Sequence[str],
    work: UPath,
    counting: CountSettings,
    column: str,
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> UPath:
    """Count the words of each shard for each value of a column, and return the folder of the counts.

    Raises InputError for documents without the column.
    """
    shards, counted = corpus_shards(corpus, work, engine, progress), _as_json(counting) | {"column": column}
    for shard in shards:
        if column not in (names := shard_schema(shard.path).names):
            raise InputError(f"{shard.path} has no column {column!r}; name one of {', '.join(names)} with --parity")
    folder, given = work / LANGUAGES, (counting, column)
    step = _counting_step(f"count {LANGUAGES}", shards, folder, count_shard_languages, given, counted)
    run_step(step, engine, progress)
    return folder


def _as_json(counting: CountSettings) -> dict:
    return {key: [*value] if isinstance(value, tuple) else value for key, value in counting._asdict().items()}


def _counting_step(
    title: str,
    shards: dict[Input, dict],
    folder: UPath,
    work_on: Callable[..., list[Written]],
    given: tuple,
    counted: dict,
) -> Step:
    jobs = []
    for n, (shard, file) in enumerate(sorted(shards.items(), key=lambda item: item[1]["sha256"])):
        part = Output(folder, f"part-{n:05d}", (shard,), counted)
        jobs.append(Job(work_on, given, (part,), file["bytes"], threaded=True))
    return Step(title, {folder: counted}, jobs)


@dataclass(frozen=True)
class CountTables:
    """Word counts of all shards and files, read one at a time."""

    folders: Sequence[UPath]

    def __iter__(self) -> Iterator[WordCounts]:
        for folder in self.folders:
            for name in sorted(require_finished(folder, "count the corpus again").files):
                yield WordCounts.load(folder / name)[0]


def read_counts(folders: Sequence[UPath]) -> WordCounts:
    """Return the words of all shards and files."""
    words = merge(CountTables(folders))
    release_memory()  # of Parquet, before as much is needed to merge
    return words


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


def count_shard_languages(counting: CountSettings, column: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the words of one shard as a table of counts for each value of a column, and count the contents."""
    counters: dict[str, WordCounter] = {}
    content: Counter[str] = Counter()
    for table in read_batches(input_of(outputs, DOCUMENTS).path, [TEXT, column]):
        names = table[column].cast(pa.string()).fill_null("")
        for name in names.unique().to_pylist():
            text = Ragged.from_text(table[TEXT].filter(pc.equal(names, name)))
            counters.setdefault(name, WordCounter(counting.pretokenizer)).add(counting(text))
            content[f"content {name}"] += content_of(text)
    files = []
    for name, counter in sorted(counters.items()):
        files.append(f"{outputs[0].name}-{quote(name, safe='')}")
        counter.finish().save(outputs[0].folder / files[-1], counting.pretokenizer)
    return [Written(files, content)]


def read_languages(folder: UPath) -> list[LanguageCounts]:
    """Return the words and the content of each language, in the order of their names."""
    manifest = require_finished(folder, "count the corpus again")
    tables: dict[str, list[str]] = {}
    for file in sorted(manifest.files):
        tables.setdefault(unquote(file.split("-", 2)[2]), []).append(file)
    return [
        LanguageCounts(merge(WordCounts.load(folder / file)[0] for file in files), manifest.counts[f"content {name}"])
        for name, files in sorted(tables.items())
    ]


def train_job(
    folders: dict[str, list[UPath]],
    settings: TokenizerSettings,
    report: Callable[[str], None],
    outputs: tuple[Output, ...],
) -> list[Written]:
    """Train the tokenizer on the counts of all shards and files, from folders by kind."""
    if settings.parity.column:
        model = train_parity(read_languages(*folders[LANGUAGES]), settings, report)
    else:
        superwords = CountTables(folders[SUPERWORDS]) if SUPERWORDS in folders else ()
        model = train(read_counts(folders[COUNTS]), settings, report, superwords)
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
