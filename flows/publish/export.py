"""Export of clean documents: files that other tools read, in a folder of its own. ``clean/`` stays as it is.

- ``jsonl.zst``: one file of JSON lines per shard;
- ``datasets``: a dataset card (README.md) and the Parquet shards under ``data/``, linked where the file system can.
  `datasets.load_dataset(FOLDER)` reads this layout of a repository on the Hub; `gristmill push` uploads the same.

Each shard is one job, so any number of workers writes the same bytes and a killed export continues. Folders by value
(``[output] split_by``) remain.
"""

from functools import partial

import orjson
import pyarrow as pa
import zstandard
from upath import UPath

from gristmill.flows.report.card import write as write_card
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.inputs.column_types import JSON
from gristmill.pipelines.inputs.plain_columns import python_values
from gristmill.pipelines.inputs.turns import messages_of, split_turns
from gristmill.pipelines.schema import DOCUMENTS, TEXT, TURN_LIST
from gristmill.pipelines.settings import Settings
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
from gristmill.pipelines.storage.files import atomic_write, link_or_copy
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import count_rows, read_batches, shards_of
from gristmill.pipelines.tokens.settings import DocumentFormat

MESSAGES = "messages"  # column of the export
CARD, DATA = "README.md", "data"
LEVEL = 3  # of zstd
ROWS = 1 << 10  # rows as Python objects at a time


class ExportSettings(Settings):
    """Format of an export, and what its card says of the corpus."""

    format: DocumentFormat = "jsonl.zst"
    license: str = "unknown"  # identifier on the Hub
    name: str | None = None  # of the dataset; None: the name of the recipe


def export_corpus(
    work: UPath,
    output: UPath,
    settings: ExportSettings | None = None,
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write the clean documents of a finished run to ``output``; return the counts of documents and bytes of files.

    A repeated export writes only what has changed. Raises WorkError if the run is unfinished, or if the folder holds
    other files.
    """
    settings = settings or ExportSettings()
    run, format = FinishedRun(work), settings.format
    made = Manifest.read(output) or Manifest.read(output / DATA)
    if made and made.settings.get("export") != format:
        raise WorkError(f"{output} holds something else than an export of format {format}; choose another --output")
    target = output / DATA if format == "datasets" else output
    write, suffix = (copy_shard, ".parquet") if format == "datasets" else (write_jsonl, ".jsonl.zst")
    jobs = []
    for n, (name, file) in enumerate(shards_of(work / "clean").items()):
        read = Input(work / "clean", name, DOCUMENTS)
        jobs.append(Job(write, (f"{name}{suffix}",), (Output(target, f"part-{n:05d}", (read,)),), file["bytes"]))
    about = {"export": format}
    counts = dict(run_step(Step("export", {target: about}, jobs), engine, progress).manifests[target].counts)
    if format == "datasets":
        text = write_card(run, settings.license, settings.name, DATA)
        card = Job(write_text, (text,), (Output(output, CARD, (), text),))
        run_step(Step("write the card", {output: about}, [card]), run_serial, progress)
    return counts


def write_jsonl(name: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write a shard as compressed JSON lines. Nested values remain nested; NaN becomes null, a date its ISO text."""
    (output,), rows = outputs, 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with atomic_write(output.folder / name) as file, compressor.stream_writer(file, closefd=False) as stream:
        for table in read_batches(input_of(outputs, DOCUMENTS).path):
            for first in range(0, table.num_rows, ROWS):
                stream.write(json_lines(table.slice(first, ROWS)))
            rows += table.num_rows
    return [_written(output, name, rows)]


def json_lines(table: pa.Table) -> bytes:
    """Return rows as JSON lines; documents with roles have ``messages`` in place of ``turns``.

    >>> json_lines(pa.table({"id": ["a", "b"], "stars": [1, None]}))
    b'{"id":"a","stars":1}\\n{"id":"b","stars":null}\\n'
    """
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        values = python_values(column)
        if field.type == TURN_LIST:
            texts = table[TEXT].to_pylist()
            values = [s and messages_of(split_turns(text.encode(), s)) for text, s in zip(texts, values, strict=True)]
        if (field.metadata or {}).items() >= JSON.items():
            values = [None if value is None else orjson.Fragment(value) for value in values]
        columns.append(values)
    dump = partial(orjson.dumps, default=str, option=orjson.OPT_APPEND_NEWLINE)
    names = [MESSAGES if field.type == TURN_LIST else field.name for field in table.schema]
    return b"".join(dump(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True))


def copy_shard(name: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Link or copy a shard."""
    (output,), shard = outputs, input_of(outputs, DOCUMENTS).path
    link_or_copy(shard, output.folder / name)
    return [_written(output, name, count_rows(shard))]


def write_text(text: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write a text as the file of the output's name."""
    (output,) = outputs
    with atomic_write(output.folder / output.name) as file:
        file.write(text.encode())
    return [Written([output.name], {})]


def _written(output: Output, name: str, rows: int) -> Written:
    return Written([name], {"documents": rows, "bytes": (output.folder / name).stat().st_size})
