"""Evaluation sets: the items of benchmarks out of JSON lines, Parquet files or Hugging Face datasets.

Every benchmark names its columns in its own way, so fields are found by their usual names, at the top of a record or
one level below; settings name them where that fails.
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
    """One question of a benchmark, and the texts that come with it."""

    benchmark: str
    id: str
    question: str
    rest: tuple[str, ...] = ()  # its choices and answers


def find_eval_sets(paths: list[str], split: str, config: str | None) -> list[File]:
    """The files that ``paths`` name; what is written ``hf:NAME`` is a dataset of the hub or a folder of one."""
    found = []
    for path in paths:
        if path.startswith("hf:"):
            found += find_files(InputSettings(paths=[path[3:]], format="hf", split=split, config=config))
        else:
            found += find_files(InputSettings(paths=[path]))
    return found


def read_items(files: list[File], fields: dict[str, str], split: str, config: str | None) -> list[Item]:
    """The items of all files. ``fields`` are dotted names by role (a key of USUAL), where the usual ones fail.

    An item without benchmark is of the one its file is called by, one without id has its number in the file. Raises
    InputError for a file without a single question.
    """
    items = []
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
            raise InputError(f"{file.url}: no record has a question ({known}); name its column with `question`")
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
            raise InputError(f"{file.url} is not JSON: {error}") from None
    else:
        raise InputError(f"{file.url}: an evaluation set is JSON lines, Parquet, or hf:NAME of a dataset")


def _field(record: dict, role: str, fields: dict[str, str]):
    """The value a record has in a role; None where there is none."""
    if role in fields:
        value = record
        for key in fields[role].split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value
    tables = [record, *(value for value in record.values() if isinstance(value, dict))]
    return next((t[name] for name in FIELD_NAMES[role] for t in tables if t.get(name) is not None), None)


def _strings(value) -> list[str]:
    """The texts in a field of any shape: a string, a list, ``{"text": […], "label": […]}``."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return _strings(value.get("text"))
    return [text for each in value for text in _strings(each)] if isinstance(value, (list, tuple)) else []
