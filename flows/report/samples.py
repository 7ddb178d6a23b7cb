"""Documents to read: as much of each as a page can bear, without the personal data in it."""

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from filters.batch import Batch
from filters.pii.scrub import Pii
from flows.cli.escape import TERMINAL
from flows.report.ledger import KEPT
from flows.report.work import Work
from pipelines.ragged import Ragged
from pipelines.schema import TEXT
from pipelines.shards import read_rows
from pipelines.spans import rewrite

BYTES = 8_000  # of a text that are looked at
CHARACTERS, LINES, WIDTH = 1_600, 24, 400  # of a text, and of a line, that are shown


def samples(work: Work, chosen: pl.DataFrame) -> list[dict]:
    """The chosen documents with an excerpt of their text: as rewritten if they stay, else as read.

    Kept ones come first, then the others in the order of the recipe's steps, their reasons by name.
    """
    order = {name: place for place, name in enumerate(work.recipe.steps)}
    told = []
    for kept, folder, row in (True, "clean", "clean_row"), (False, "documents", "row"):
        rows = chosen.filter(pl.col("kept") == kept)
        texts = read_texts(work.folder / folder, rows.select("part", pl.col(row).alias("row")))
        for document, (text, size) in zip(rows.iter_rows(named=True), texts, strict=True):
            told.append(document | {"excerpt": excerpt(text, size), "reason": KEPT if kept else document["reason"]})
    return sorted(told, key=lambda row: (not row["kept"], order.get(row["step"], 0), row["reason"], row["hash"]))


def read_texts(folder: UPath, places: pl.DataFrame) -> list[tuple[str, int]]:
    """The beginnings of the texts at ``part`` and ``row``, in the order of ``places``, and their sizes in bytes."""
    places = places.with_row_index("at")
    found = [("", 0)] * places.height
    for (part,), frame in places.sort("row").group_by("part", maintain_order=True):
        rows, back = np.unique(frame["row"].to_numpy().astype(np.int64), return_inverse=True)
        column = read_rows(folder / f"{part}.parquet", rows, [TEXT])[TEXT]
        texts = beginnings(column)
        for at, k in zip(frame["at"], back.tolist(), strict=True):
            found[at] = texts[k]
    return found


def beginnings(column: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Of each text the first BYTES without personal data (its type stands in its place), and the size of it all.

    What is found goes by the rules' own settings, not the run's: a report is read by more people than a corpus.
    """
    whole = Ragged.from_text(column)
    begun = [whole.row(row)[:BYTES].decode("utf-8", "ignore") for row in range(whole.rows)]
    if not begun:
        return []
    text = Ragged.from_strings(begun)
    spans, _ = Pii().rewrite(Batch(text))
    clean = rewrite(text, spans)
    sizes = np.diff(whole.offsets).tolist()
    return [(clean.row(row).decode(), size) for row, size in enumerate(sizes)]


def excerpt(text: str, size: int) -> dict:
    """The beginning of a text, control characters written out, and how many bytes of it are not shown."""
    lines, left, cut = [], CHARACTERS, False
    for line in text.split("\n"):
        if len(lines) == LINES or left <= 0:
            cut = True
            break
        most = min(WIDTH, left)
        lines.append(line[:most] + "…" * (len(line) > most))
        cut |= len(line) > most
        left -= min(len(line), most) + 1
    shown = "\n".join(lines)
    return {"text": shown.translate(TERMINAL), "more": size if cut or size > BYTES else 0}
