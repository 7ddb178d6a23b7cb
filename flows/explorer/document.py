"""Document page: history, measures beside the thresholds, and the text with all changes marked."""

from collections.abc import Iterator
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
COMPARED = 10_000  # characters of two texts to compare word by word
COPIES = 10  # documents of a cluster to show


class TextRun(NamedTuple):
    """Run of text that was kept, deleted by a step, or inserted by a step."""

    what: str
    text: str
    step: str = ""
    reason: str = ""


class ThresholdBar(NamedTuple):
    """Measure of a document beside its threshold."""

    step: str
    rule: str
    measure: str
    breaks: str
    value: float
    threshold: float | None  # None: the rule is off
    moved: float | None  # the threshold after moves
    broken: bool
    would_break: bool

    @property
    def share(self) -> float:
        """Position (0 to 1) of the value on a bar with the threshold in its middle; 0 for a missing value."""
        if np.isnan(self.value):
            return 0.0
        if not self.threshold:  # off, or 0
            return 0.0 if not self.value else 1.0 if self.threshold is None else 0.75
        return float(np.clip(self.value / self.threshold / 2, 0, 1))


class Document(NamedTuple):
    """Document of a run, before and after its steps."""

    history: dict  # as `gristmill why --json` prints it
    columns: dict  # columns of the input, except id, text and source
    text: bytes  # as read
    spans: dict[str, list[tuple]]  # step -> (offset, length, reason, replacement), in the recipe's order


def read_document(index: RunIndex, part: str, row: int) -> Document:
    """Return one document; raise WorkError if it does not exist."""
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
    """Return the original text as runs, each marked kept, deleted by a step, or inserted by a step.

    Kept and inserted runs give the clean text; kept and deleted runs give the original. Text that one step inserted
    and a later step deleted appears in neither and is omitted. Offsets of a step's spans refer to the text before it.
    """
    pieces = [(SAME, text, "", "")]
    for step, found in spans.items():
        pieces = [*_marked(pieces, step, iter(found))]
    return [TextRun(what, text.decode("utf-8", "replace"), *why) for what, text, *why in _joined(pieces)]


def _marked(pieces: list[tuple], step: str, spans: Iterator[tuple]):
    at, span = 0, next(spans, None)  # at: in the step's own input, which has no deleted runs
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
                break  # it continues in the next run
            if replacement:
                yield PUT, replacement.encode(), step, reason
            span = next(spans, None)
        if at < end:
            yield what, text[at - begin :], *why
        at = end


def _joined(pieces: list[tuple]) -> list[tuple]:
    """Join adjacent runs with the same mark; drop empty ones."""
    joined: list[tuple] = []
    for what, text, *why in pieces:
        if joined and joined[-1][0] == what and joined[-1][2:] == (*why,):
            joined[-1] = what, joined[-1][1] + text, *why
        elif text:
            joined.append((what, text, *why))
    return joined


def clean_text(pieces: list[TextRun]) -> str:
    return "".join(piece.text for piece in pieces if piece.what != CUT)


def cut_out(pieces: list[TextRun], begin: int, end: int) -> list[TextRun]:
    """Return the characters from ``begin`` to ``end``, as runs."""
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
    """Return step -> a bar for each rule: the document's measure beside the run's threshold and the moved one."""
    measures, place = document.history["measures"], index.place(document.history["shard"], document.history["row"])
    profile = index.profile.codes[place : place + 1]
    found: dict[str, list[ThresholdBar]] = {}
    for step in index.filters:
        (now, now_by), (_, then_by) = moved.rules((), step), moved.rules(changes, step)
        for name, rule in now.items():
            by = pl.Series([measures[step][rule.by]], dtype=pl.String) if rule.thresholds else None
            value = np.array([measures[step][rule.measure]], np.float64)
            limit, then = (thresholds(name, rule, each, profile, by) for each in (now_by, then_by))
            broken, would_break = bool(breaks(rule, value, limit)[0]), bool(breaks(rule, value, then)[0])
            threshold, moved_to = (None if np.isnan(each[0]) else float(each[0]) for each in (limit, then))
            about = step, name, rule.measure, rule.breaks, float(value[0])
            found.setdefault(step, []).append(ThresholdBar(*about, threshold, moved_to, broken, would_break))
    return found


class Copy(NamedTuple):
    """Document of the same cluster, with its differences to this one."""

    member: Member
    diff: list[tuple[str, str]]  # sign (" " both, "-" only there, "+" only here) and text
    whole: bool  # both texts were compared to their ends


def copies(index: RunIndex, id: str) -> tuple[list[Copy], int]:
    """Return up to COPIES near and exact copies of a document, compared with it, and the number of further ones."""
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
