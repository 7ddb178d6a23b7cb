"""Corpus to tokenizer: count the words of every shard, then train on the sums."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from upath import UPath

from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.clean.recipe import make_change
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.errors import RecipeError
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
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import read_batches
from gristmill.pipelines.tokens.encode import TokenizerInfo
from gristmill.pipelines.tokens.steps import digest
from gristmill.tokenizers_lab.count.word_counts import WordCounter, WordCounts, merge
from gristmill.tokenizers_lab.count_settings import CountSettings
from gristmill.tokenizers_lab.extend import extend
from gristmill.tokenizers_lab.formats.detect import find_file
from gristmill.tokenizers_lab.formats.model import FILE, Model, finish_model, read_model, write_model
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train

WORK, COUNTS, SUPERWORDS = "work", "counts", "superwords"  # subfolders of the tokenizer's: documents and counts
LINES = "lines"  # the pre-tokenizer that joins words
TABLES = ("bpe", "superbpe", "unigram", "wordpiece", "roles")


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
    work, superwords = output / WORK, settings.superword_settings()
    with exclusive_run(work):
        inputs = [Input(count_words(corpus, work, settings.count_settings(), engine, progress), kind=COUNTS)]
        if superwords:
            folder = count_words(corpus, work, superwords, engine, progress, SUPERWORDS)
            inputs.append(Input(folder, kind=SUPERWORDS))
        made_with = settings.model_dump(mode="json")
        output_file = Output(output, FILE, tuple(inputs), made_with)
        jobs = [Job(train_job, (settings, report), (output_file,))]
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
    model = read_model(to_path(tokenizer))
    pretokenizer = LINES if join_words else model.pretokenizer
    with exclusive_run(output / WORK):
        folder = count_words(corpus, output / WORK, CountSettings(pretokenizer, model.normalizers), engine, progress)
        larger = extend(model, read_counts(folder), vocab_size, pretokenizer)
        finish_model(larger, output)
    return larger


def count_words(
    corpus: Sequence[str],
    work: UPath,
    counting: CountSettings,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    name: str = COUNTS,
) -> UPath:
    """Count the words of each shard of the corpus, and return the folder of the counts, ``WORK/name``."""
    shards = corpus_shards(corpus, work, engine, progress)
    counted = {key: [*value] if isinstance(value, tuple) else value for key, value in counting._asdict().items()}
    folder = work / name
    jobs = []
    for n, (shard, file) in enumerate(sorted(shards.items(), key=lambda item: item[1]["sha256"])):
        part = Output(folder, f"part-{n:05d}", (shard,), counted)
        jobs.append(Job(count_shard, (counting,), (part,), file["bytes"]))
    run_step(Step(f"count {name}" if name != COUNTS else "count words", {folder: counted}, jobs), engine, progress)
    return folder


class ShardCounts(NamedTuple):
    """Word counts of all shards, read one at a time."""

    folder: UPath

    def __iter__(self) -> Iterator[WordCounts]:
        files = require_finished(self.folder, "count the corpus again").files
        return (WordCounts.load(self.folder / name)[0] for name in sorted(files))


def read_counts(folder: UPath) -> WordCounts:
    """Return the words of all shards."""
    return merge(ShardCounts(folder))


def count_shard(counting: CountSettings, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the words of one shard as a table of counts."""
    counter, size = WordCounter(counting.pretokenizer), 0
    for table in read_batches(input_of(outputs, DOCUMENTS).path, [TEXT]):
        text = Ragged.from_text(table[TEXT])
        size += text.data.size
        counter.add(counting(text))
    counts = counter.finish()
    counts.save(outputs[0].path, counting.pretokenizer)
    return [Written([outputs[0].path.name], {"words": int(counts.counts.sum()), "bytes": size})]


def train_job(settings: TokenizerSettings, report: Callable[[str], None], outputs: tuple[Output, ...]) -> list[Written]:
    """Train the tokenizer on the counts of all shards."""
    superwords = ShardCounts(input_of(outputs, SUPERWORDS).folder) if settings.algorithm == "superbpe" else ()
    model = train(read_counts(input_of(outputs, COUNTS).folder), settings, report, superwords)
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
    if file.name == FILE:
        model = read_model(file)
    elif work is None:
        raise RecipeError(f"{file} belongs to another library; read it with `gristmill tokenizer import` first")
    else:
        model, file = load_any(file), work / "tokenizer" / FILE
        finish_model(model, file.parent)
    return CachedEncoder(file, TokenizerInfo(model.size, model.role("bos"), model.role("eos"), digest(file)))
