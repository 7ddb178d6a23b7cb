"""Edits of a text, and composition of successive edits into edits of the original text."""

from typing import NamedTuple


class Edit(NamedTuple):
    """A replacement of bytes ``start:end`` of a document by ``text``."""

    start: int
    end: int
    type: str
    text: bytes


def merge_edits(earlier: list[Edit], later: list[Edit]) -> list[Edit]:
    """Return the edits of the original text that equal ``earlier`` edits followed by ``later`` edits of their result.

    Edits are sorted and do not overlap. A later edit that overlaps the text of an earlier one replaces that edit whole.

    >>> merge_edits([Edit(2, 5, "ip", b"<>")], [Edit(6, 8, "mac", b"!")])
    [Edit(start=2, end=5, type='ip', text=b'<>'), Edit(start=7, end=9, type='mac', text=b'!')]
    """
    result, queue, shift = [], list(earlier), 0  # shift: growth of the text so far, in bytes
    for edit in later:
        start = None
        while queue and queue[0].start + shift + len(queue[0].text) <= edit.start:
            shift += _growth(queue[0])
            result.append(queue.pop(0))
        start = edit.start - shift
        if queue and queue[0].start + shift < edit.start:
            start = queue[0].start
        end = edit.end - shift
        while queue and queue[0].start + shift < edit.end:
            taken = queue.pop(0)
            shift += _growth(taken)
            end = max(taken.end, edit.end - shift)
        result.append(Edit(start, end, edit.type, edit.text))
    return result + queue


def _growth(edit: Edit) -> int:
    return len(edit.text) - (edit.end - edit.start)


def apply_edits(edits: list[Edit], text: bytes) -> bytes:
    """Return the text with all edits applied."""
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return b"".join([*parts, text[at:]])
