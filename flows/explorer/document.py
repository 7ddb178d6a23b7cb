"""One document: its story, its measures against the thresholds, and its text with every change in place."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.filters.core.decide import breaks, thresholds
from gristmill.flows.clean.plan import rewrites, spans_of
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.runs.clusters import Member, find_cluster, word_diff
from gristmill.flows.runs.explain import document_history
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID, SOURCE, TEXT
from gristmill.pipelines.storage.shards import read_rows, read_shard

CUT, PUT, SAME = "cut", "put", "same"
COMPARED = 10_000  # characters of two texts that are compared word by word
COPIES = 10  # of a cluster that are shown


class TextRun(NamedTuple):
    """A run of text that stayed, was cut, or was put in its place."""

    what: str
    text: str
    step: str = ""
    reason: str = ""


class ThresholdBar(NamedTuple):
    """A measure against its threshold."""

    step: str
    rule: str
    measure: str
    breaks: str
    value: float
    threshold: float | None  # None: the rule is off
    moved: float | None  # the threshold as it is moved to
    broken: bool
    would_break: bool

    @property
    def share(self) -> float:
        """Where the value lies on a bar that has the threshold at its middle: 0 to 1."""
        if not self.threshold:  # off, or nothing at all is allowed
            return 0.0 if not self.value else 1.0 if self.threshold is None else 0.75
        return float(np.clip(self.value / self.threshold / 2, 0, 1))


class Document(NamedTuple):
    story: dict  # as `gristmill why` tells it
    columns: dict  # of the input: what is neither id, text nor source
    text: bytes  # as read
    spans: dict[str, list[tuple]]  # step -> offset, length, reason, replacement; in the recipe's order


def read_document(index: RunIndex, part: str, row: int) -> Document:
    """Raises WorkError where there is no such document."""
    index.place(part, row)
    rows = np.array([row])
    (columns,) = read_rows(index.folder / "documents" / f"{part}.parquet", rows).to_pylist()
    text = (columns.pop(TEXT) or "").encode()
    columns = {name: value for name, value in columns.items() if name not in (ID, SOURCE) and value is not None}
    steps = [name for name, step in index.recipe.steps.items() if rewrites(step)]
    spans = {name: _spans(read_shard(spans_of(index.folder, name) / f"{part}.parquet"), row) for name in steps}
    return Document(document_history(index.folder, part, row, index.filters), columns, text, spans)


def _spans(table: pa.Table, row: int) -> list[tuple]:
    begin, end = np.searchsorted(table["row"].to_numpy(), (row, row + 1))
    here = table.slice(begin, end - begin).drop_columns(["row"])
    return [(*span,) for span in zip(*(column.to_pylist() for column in here.columns), strict=True)]


def changes(text: bytes, spans: dict[str, list[tuple]]) -> list[TextRun]:
    """The text as read with what each step cut and put marked in place, each step seeing what those before it left.

    The pieces that stayed, with those that were put in, are the clean text; with those that were cut, the text as it
    was read. What one step put and another cut again is in neither, and left out.
    """
    pieces = [(SAME, text, "", "")]
    for step, found in spans.items():
        pieces = [*_marked(pieces, step, iter(found))]
    return [TextRun(what, text.decode("utf-8", "replace"), *why) for what, text, *why in _joined(pieces)]


def _marked(pieces: list[tuple], step: str, spans: Iterable[tuple]):
    at, span = 0, next(spans, None)  # at: in the text that the step saw, which has no cut pieces
    for what, text, *why in pieces:
        if what == CUT:
            yield what, text, *why
            continue
        begin, end = at, at + len(text)
        while span and span[0] <= end:
            offset, length, reason, replacement = span
            stop = min(offset + length, end)
            if offset > at:
                yield what, text[at - begin : offset - begin], *why
                at = offset
            if stop > at and what == SAME:
                yield CUT, text[at - begin : stop - begin], step, reason
            at = max(at, stop)
            if offset + length > end:
                break  # it goes on in the next piece
            if replacement:
                yield PUT, replacement.encode(), step, reason
            span = next(spans, None)
        if at < end:
            yield what, text[at - begin :], *why
        at = end


def _joined(pieces: list[tuple]) -> list[tuple]:
    """Neighbours of one kind as one, empty ones left out."""
    joined = []
    for what, text, *why in pieces:
        if joined and joined[-1][0] == what and joined[-1][2:] == (*why,):
            joined[-1] = what, joined[-1][1] + text, *why
        elif text:
            joined.append((what, text, *why))
    return joined


def clean_text(pieces: list[TextRun]) -> str:
    return "".join(piece.text for piece in pieces if piece.what != CUT)


def cut_out(pieces: list[TextRun], begin: int, end: int) -> list[TextRun]:
    """The pieces' characters from ``begin`` to ``end``."""
    found, at = [], 0
    for piece in pieces:
        text = piece.text[max(begin - at, 0) : max(end - at, 0)]
        at += len(piece.text)
        if text:
            found.append(piece._replace(text=text))
    return found


def bars(
    index: RunIndex, moved: Thresholds, changes: tuple[str, ...], document: Document
) -> dict[str, list[ThresholdBar]]:
    """Step -> each rule's measure of a document against the thresholds of the run, and those moved to."""
    measures, place = document.story["measures"], index.place(document.story["shard"], document.story["row"])
    profile = index.profile.codes[place : place + 1]
    found = {}
    for step in index.filters:
        (now, now_by), (_, then_by) = moved.rules((), step), moved.rules(changes, step)
        for name, rule in now.items():
            by = pl.Series([measures[step][rule.by]], dtype=pl.String) if rule.thresholds else None
            value = np.array([measures[step][rule.measure]], np.float64)
            limit, then = (thresholds(name, rule, each, profile, by) for each in (now_by, then_by))
            sides = bool(breaks(rule, value, limit)[0]), bool(breaks(rule, value, then)[0])
            limits = (None if np.isnan(each[0]) else float(each[0]) for each in (limit, then))
            found.setdefault(step, []).append(
                ThresholdBar(step, name, rule.measure, rule.breaks, float(value[0]), *limits, *sides)
            )
    return found


class Copy(NamedTuple):
    """A document of the same cluster, and how this one differs from it."""

    member: Member
    diff: list[tuple[str, str]]  # sign (" ", "-" only there, "+" only here) and text
    whole: bool  # were all of both texts compared?


def copies(index: RunIndex, id: str) -> tuple[list[Copy], int]:
    """The near and exact copies of a document, each compared with it, and how many there are besides.

    None where nothing is like it.
    """
    near = next(
        (name for name, step in index.recipe.steps.items() if step.NAME == NearDuplicates.NAME), NearDuplicates.NAME
    )
    try:
        members = find_cluster(index.folder, near, id)
    except WorkError:
        return [], 0
    own = next(member.text for member in members if member.id == id)
    others = [member for member in members if member.id != id]
    return [_compared(other, own) for other in others[:COPIES]], max(len(others) - COPIES, 0)


def _compared(other: Member, own: str) -> Copy:
    diff = [*word_diff(other.text[:COMPARED], own[:COMPARED])]
    return Copy(other, diff, max(len(other.text), len(own)) <= COMPARED)
