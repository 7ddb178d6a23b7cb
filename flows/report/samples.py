"""Samples of documents: the beginning of each, without its personal data."""

import numpy as np
import polars as pl
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.run import REMEDY
from gristmill.flows.escape import LINE, TERMINAL
from gristmill.flows.report.ledger import KEPT
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.spans import rewrite
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import read_rows, read_shard

BYTES = 8_000  # of a text to read
CHARACTERS, LINES, WIDTH = 1_600, 24, 400  # of a text, and characters of a line, to show
FIRST = 110  # characters of a text in a list


def samples(work: FinishedRun, chosen: pl.DataFrame) -> list[dict]:
    """Return the chosen documents with an excerpt: of the rewritten text if kept, else of the original.

    Kept documents come first, then the others in the order of the recipe's steps and the names of reasons.
    """
    order = {name: place for place, name in enumerate(work.recipe.steps)}
    found = []
    for kept in (True, False):
        rows = chosen.filter(pl.col("kept") == kept)
        places = clean_places(work.folder / "clean", rows) if kept else rows.select("part", "row")
        texts = read_texts(work.folder / ("clean" if kept else "documents"), places)
        for document, (text, size) in zip(rows.iter_rows(named=True), texts, strict=True):
            found.append(document | {"excerpt": excerpt(text, size), "reason": KEPT if kept else document["reason"]})
    return sorted(found, key=lambda row: (not row["kept"], order.get(row["step"], 0), row["reason"], row["hash"]))


def clean_places(clean: UPath, chosen: pl.DataFrame) -> pl.DataFrame:
    """Return the shard in clean/ (``part``) and the row of each chosen document; a run may have split its shards."""
    parts, ids = require_finished(clean, REMEDY).parts, [chosen.clear().select(ID, part="part", row="row")]
    for part in chosen["part"].unique().sort():
        for name in parts[part].files:
            frame = pl.DataFrame(read_shard(clean / name, [ID])).with_row_index("row")
            ids.append(frame.select(ID, part=pl.lit(name.removesuffix(".parquet")), row="row"))
    found = pl.concat([frame.cast({ID: pl.String}) for frame in ids])
    places = chosen.select(pl.col(ID).cast(pl.String)).join(found, on=ID, how="left", maintain_order="left")
    return places.select("part", "row")


def read_texts(folder: UPath, places: pl.DataFrame) -> list[tuple[str, int]]:
    """Return the beginnings and sizes in bytes of the texts at ``part`` and ``row``, in the order of ``places``."""
    begun, sizes = [b""] * places.height, [0] * places.height
    for (part,), frame in places.with_row_index("at").group_by("part", maintain_order=True):
        rows, back = np.unique(frame["row"].to_numpy().astype(np.int64), return_inverse=True)
        texts = Ragged.from_text(read_rows(folder / f"{part}.parquet", rows, [TEXT])[TEXT])
        for at, row in zip(frame["at"], back.tolist(), strict=True):
            whole = texts.row(row)
            begun[at], sizes[at] = whole[:BYTES], len(whole)
    return list(zip(without_personal([text.decode("utf-8", "ignore") for text in begun]), sizes, strict=True))


def without_personal(texts: list[str]) -> list[str]:
    """Replace personal data by its type, found with the default settings, not the run's.

    A report has more readers than a corpus.
    """
    if not texts:
        return []
    text = Ragged.from_strings(texts)
    spans, _ = PiiFilter().rewrite(Batch(text))
    clean = rewrite(text, spans)
    return [clean.row(row).decode() for row in range(clean.rows)]


def excerpt(text: str, size: int) -> dict:
    """Return the beginning of a text of ``size`` bytes, control characters escaped; ``more`` is 0 if that is all."""
    lines: list[str] = []
    left, whole = CHARACTERS, True
    for line in text.split("\n"):
        if len(lines) == LINES or left <= 0:
            whole = False
            break
        most = min(WIDTH, left)
        whole &= len(line) <= most
        lines.append(line[:most] + "…" * (len(line) > most))
        left -= len(lines[-1]) + 1
    beginning = "\n".join(lines)
    more = 0 if whole and size <= BYTES else size
    return {"text": beginning.translate(TERMINAL), "more": more, "first": first_words(beginning)}


def first_words(text: str) -> str:
    """Return the first words of a text on one line."""
    line = " ".join(text.split())
    return (line[:FIRST] + "…" * (len(line) > FIRST)).translate(LINE)
