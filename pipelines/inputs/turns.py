"""Records with roles as documents: the contents of all turns are the text, and ``turns`` names the role of each part.

So every step sees what people and models wrote, without markup: rules judge it, personal data is replaced in every
turn, and duplicates are compared by it. A template puts the markup back when the document becomes tokens.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from gristmill.pipelines.inputs.column_types import JSON, value_of
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT, TURN_LIST

SEPARATOR = "\n\n"  # between the contents of two turns
ROLES = {
    **{name: "system" for name in ("system", "developer")},
    **{name: "user" for name in ("user", "human", "prompter")},
    **{name: "assistant" for name in ("assistant", "gpt", "model", "bot", "chatgpt")},
    **{name: "tool" for name in ("tool", "function", "observation")},
}
INPUT = "input"  # role of Alpaca's input, which belongs to the instruction before it
ANSWERS = ("completion", "response", "answer", "output")  # names of the column beside a prompt
SYSTEM = "system"


class Turn(NamedTuple):
    """Content of one turn. Roles are system, user, input, assistant and tool."""

    role: str
    content: str


class NoTurns(ValueError):
    """Record whose turns cannot be read; its text is the reason."""


def compose(found: RecordBatch, settings: InputSettings) -> tuple[RecordBatch, pa.Array]:
    """Return records whose columns of turns are one column ``text``, and their turns (TURN_LIST).

    Refuses a record without turns, with an unknown role, with a content that is no text, or above max_record_bytes.
    """
    table, numbers, refused = found
    others = {"alpaca": ("input", "output"), "prompt": ANSWERS}.get(settings.records or "", ())
    used = [name for name in (settings.content, SYSTEM, *others) if name in table.column_names]
    texts, turns, keep, why = [], [], [], []
    mixed = [name for name in used if table.schema.field(name).metadata == JSON]  # columns of more than one type
    for row, record in enumerate(table.select(used).to_pylist()):
        record |= {name: value_of(record[name]) for name in mixed}
        try:
            text, spans = join_turns(turns_of(record, settings.records, settings.content))
            if not spans:
                raise NoTurns("there is none")
            if len(text) > settings.max_record_bytes:
                raise NoTurns(f"{len(text):,} bytes, above max_record_bytes")
        except NoTurns as reason:
            why.append((int(numbers[row]), f"no turns: {reason}"))
            continue
        texts.append(text)
        turns.append(spans)
        keep.append(row)
    rows, rest = np.array(keep, np.int64), [field for field in table.schema if field.name not in used]
    columns = [table[field.name].take(pa.array(rows)) for field in rest]
    fields = [field.with_name(f"input.{TEXT}") if field.name == TEXT else field for field in rest]
    columns.append(pa.array(texts, pa.large_binary()).cast(pa.large_string()))
    made = pa.Table.from_arrays(columns, schema=pa.schema([*fields, pa.field(TEXT, pa.large_string())]))
    return RecordBatch(made, numbers[rows], (*refused, *why)), pa.array(turns, TURN_LIST)


def turns_of(record: dict, kind: str | None, column: str) -> list[Turn]:
    """Return the turns of a record, without empty ones. Raises NoTurns."""
    system = record.get(SYSTEM)
    turns = [Turn(SYSTEM, _text(system, SYSTEM))] if system else []
    if kind in ("messages", "conversations"):
        return turns + _messages(record[column], column)
    if kind == "alpaca":
        parts = (("user", column), (INPUT, "input"), ("assistant", "output"))
        return turns + [Turn(role, _text(record[name], name)) for role, name in parts if record.get(name)]
    answer = next((name for name in ANSWERS if record.get(name) is not None), None)
    if answer is None:
        raise NoTurns(f"none of {', '.join(ANSWERS)} is there")
    for role, name in (("user", column), ("assistant", answer)):
        value = record[name]
        is_list = isinstance(value, list) or (isinstance(value, str) and value.startswith("[{"))
        turns += _messages(value, name) if is_list else [Turn(role, _text(value, name))]
    return [turn for turn in turns if turn.content]


def _messages(value: object, column: str) -> list[Turn]:
    """Return the turns of a list of messages: role and content, or from and value."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise NoTurns(f"{column!r} is text and no list of messages") from None
    if not isinstance(value, list):
        raise NoTurns(f"{column!r} is no list")
    turns = []
    for message in value:
        if not isinstance(message, dict):
            raise NoTurns(f"a message in {column!r} is no object")
        name = message.get("role") or message.get("from")
        if (role := ROLES.get(str(name).lower())) is None:
            raise NoTurns(f"unknown role {str(name)[:40]!r} in {column!r}")
        content = message["content"] if message.get("content") is not None else message.get("value")
        if content:
            turns.append(Turn(role, _text(content, column)))
    return turns


def _text(value: object, column: str) -> str:
    """Return a content: a string, or the text parts of a list."""
    if isinstance(value, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        value = "".join(str(part.get("text", "")) for part in value)
    if not isinstance(value, str):
        raise NoTurns(f"a content in {column!r} is no text")
    return value


def join_turns(turns: Iterable[Turn]) -> tuple[bytes, list[dict]]:
    """Return the text of a document in UTF-8, and role, start and end (bytes) of each turn in it.

    >>> join_turns([Turn("user", "Why?"), Turn("assistant", "So.")])[0]
    b'Why?\\n\\nSo.'
    """
    parts, spans, at = [], [], 0
    for role, words in turns:
        content = words.encode()
        spans.append({"role": role, "start": at, "end": at + len(content)})
        parts.append(content)
        at += len(content) + len(SEPARATOR)
    return SEPARATOR.encode().join(parts), spans


def messages_of(turns: Iterable[Turn], keep_inputs: bool = False) -> list[dict[str, str]]:
    """Return turns as messages of role and content; Alpaca's input joins its instruction, unless inputs are kept.

    >>> messages_of([Turn("user", "Add."), Turn("input", "1 1"), Turn("assistant", "2")])[0]
    {'role': 'user', 'content': 'Add.\\n\\n1 1'}
    """
    found: list[dict[str, str]] = []
    for role, content in turns:
        if role == INPUT and found and not keep_inputs:
            found[-1]["content"] += SEPARATOR + content
        else:
            found.append({"role": "user" if role == INPUT and not keep_inputs else role, "content": content})
    return found


def cut_prompts(text: Ragged, turns: pa.ChunkedArray) -> Ragged:
    """Return each text up to its first answer; all of it without turns or without an answer."""
    ends = text.offsets[1:].copy()
    for row, spans in enumerate(turns.to_pylist()):
        roles = [span["role"] for span in spans or ()]
        if "assistant" in roles:
            at = roles.index("assistant")
            ends[row] = text.offsets[row] + (spans[at - 1]["end"] if at else 0)
    return Ragged.from_strings([text.data[a:b].tobytes() for a, b in zip(text.offsets[:-1], ends, strict=True)])


def split_turns(text: bytes, spans: Iterable[dict]) -> list[Turn]:
    """Return the turns of a document, without empty ones: the inverse of `join_turns`."""
    turns = [Turn(span["role"], text[span["start"] : span["end"]].decode("utf-8", "replace")) for span in spans]
    return [turn for turn in turns if turn.content]
