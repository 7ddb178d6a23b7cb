"""Evaluation sets: items of benchmarks in JSON lines, Parquet files or Hugging Face datasets.

Benchmarks name their columns differently. So fields are found by FIELD_NAMES, at the top of a record or one level
below; settings name fields with other names.
"""

import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson
import pyarrow.parquet as pq

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import File, InputSettings, find_files
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.streaming import read_blocks

FIELD_NAMES = {
    "question": ("question", "problem", "prompt", "query", "sentence", "ctx", "goal", "instruction", "input", "text"),
    "choices": ("choices", "options", "endings"),
    "answer": ("answer", "answers", "solution", "canonical_solution", "target", "output"),
    "id": ("id", "task_id", "question_id", "qid", "ind", "idx"),
    "benchmark": ("benchmark",),
}
NOT_IN_NAMES = re.compile(r"[^\w.+/-]+")  # a benchmark's name becomes the name of a rule


class Item(NamedTuple):
    """Question of a benchmark, with its choices and answers."""

    benchmark: str
    id: str
    question: str
    rest: tuple[str, ...] = ()  # choices and answers


def find_eval_sets(paths: list[str], split: str, config: str | None) -> list[File]:
    """Find the files that ``paths`` name; ``hf:NAME`` is a dataset of the Hugging Face Hub or a folder with one."""
    found = []
    for path in paths:
        found += find_files(InputSettings(paths=[path], split=split, config=config))
    return found


def read_items(files: list[File], fields: dict[str, str], split: str, config: str | None) -> list[Item]:
    """Read the items of all files. ``fields`` maps roles (keys of FIELD_NAMES) to dotted names of fields.

    The default benchmark is the file's stem, the default id the stem and the record's number. Raises InputError for a
    file without any question.
    """
    items: list[Item] = []
    for file in files:
        stem = file.name.rpartition("/")[2].partition(".")[0]
        before = len(items)
        for number, record in enumerate(_records(file, split, config)):
            question = " ".join(_strings(_field(record, "question", fields)))
            if not question.strip():
                continue
            rest = [*_strings(_field(record, "choices", fields)), *_strings(_field(record, "answer", fields))]
            name = NOT_IN_NAMES.sub("_", str(_field(record, "benchmark", fields) or stem))
            id = _field(record, "id", fields)
            items.append(Item(name, f"{stem}:{number}" if id is None else str(id), question, tuple(rest)))
        if len(items) == before:
            known = ", ".join(FIELD_NAMES["question"])
            raise InputError(f"{file.url}: no record has a question (tried: {known}); name its field with `question`")
    return items


def _records(file: File, split: str, config: str | None) -> Iterator[dict]:
    if file.format == "hf":
        from gristmill.pipelines.readers.arrow import open_hugging_face

        yield from open_hugging_face(file.url, config, split, streaming=True)
        return
    data = b"".join(read_blocks(InputSlice(file)))
    if file.format == "parquet":
        yield from pq.read_table(io.BytesIO(data)).to_pylist()
    elif file.format == "jsonl":
        try:
            rows = (
                orjson.loads(data) if data.lstrip()[:1] == b"[" else map(orjson.loads, filter(None, data.split(b"\n")))
            )
            yield from (row for row in rows if isinstance(row, dict))
        except orjson.JSONDecodeError as error:
            raise InputError(f"{file.url} is not JSON lines: {error}") from None
    else:
        raise InputError(f"{file.url} is {file.format}, not an evaluation set: give JSON lines, Parquet, or hf:NAME")


def _field(record: dict, role: str, fields: dict[str, str]):
    """Return a record's value in a role, or None."""
    if role in fields:
        value = record
        for key in fields[role].split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value
    tables = [record, *(value for value in record.values() if isinstance(value, dict))]
    return next((t[name] for name in FIELD_NAMES[role] for t in tables if t.get(name) is not None), None)


def _strings(value) -> list[str]:
    """Return the texts in a field of any shape: a string, a list, ``{"text": […], "label": […]}``."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _strings(value.get("text"))
    return [text for each in value for text in _strings(each)] if isinstance(value, (list, tuple)) else []
