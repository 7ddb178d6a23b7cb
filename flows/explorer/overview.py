"""Overview of a run: its funnel, and the share kept of each language and source."""

from typing import NamedTuple

import numpy as np

from gristmill.flows.explorer.index import Names, RunIndex

MOST = 10  # languages and sources to show


class Stage(NamedTuple):
    """Row of the funnel: documents and bytes that are left after a step, and the numbers that it removed."""

    name: str
    documents: int
    bytes: int
    removed: int
    removed_bytes: int


class Share(NamedTuple):
    """Documents and bytes with one value of a column, as read and as kept."""

    name: str
    documents: int
    kept: int
    bytes: int
    clean_bytes: int


def stages(summary: dict) -> list[Stage]:
    """Return the funnel: documents read, unreadable records, each step, and the clean documents."""
    documents, size = summary["documents_in"], summary["bytes_in"]
    found = [Stage("read", documents, size, 0, 0)]
    if summary["rejects"]:
        documents -= summary["rejects"]
        found.append(Stage("unreadable", documents, size, summary["rejects"], 0))
    for name, step in summary["steps"].items():
        documents, size = documents - step["removed"], size - step["bytes_removed"]
        found.append(Stage(name, documents, size, step["removed"], step["bytes_removed"]))
    return [*found, Stage("clean", summary["clean"], summary["bytes_clean"], 0, size - summary["bytes_clean"])]


def shares(index: RunIndex, column: Names) -> list[Share]:
    """Return each value of a column with its documents and bytes, the most frequent first."""
    kept = index.kept

    def count(weights: np.ndarray | None = None) -> list[int]:
        counts = np.bincount(column.codes, weights, len(column.names))
        return counts.astype(np.int64).tolist()

    counts = count(), count(kept), count(index.bytes), count(index.clean_bytes * kept)
    found = [Share(*values) for values in zip(column.names, *counts, strict=True)]
    return sorted(found, key=lambda share: (-share.documents, share.name))
