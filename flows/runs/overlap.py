"""Overlap of all sources of a corpus: measured in a work folder, drawn as SVG."""

from collections.abc import Sequence
from html import escape

import numpy as np
import polars as pl
from upath import UPath

from gristmill.dedup.dataset.overlap import NEAR, overlap, totals
from gristmill.dedup.index import measures_in
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.flows.clean.dedup_index import save_index
from gristmill.flows.clean.dedup_recipes import dedup_recipe
from gristmill.flows.escape import LINE
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import scratch_beside
from gristmill.pipelines.steps.step import Engine, Progress, run_serial
from gristmill.pipelines.storage.shards import shards_of

CELL, LEFT, TOP = 56, 150, 120  # pixels of the picture


def find_overlap(
    corpus: Sequence[str],
    work: UPath,
    threshold: float | None = None,
    changes: Sequence[str] = (),
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return TOTALS of each source and SHARED of each pair (dedup/dataset/overlap.py)."""
    recipe = dedup_recipe("document", corpus, [], threshold, changes)
    save_index(recipe, recipe.input[0].paths, work, engine, progress)
    parts = list(shards_of(work / "documents"))
    exact, near = (
        Corpus(work / "documents", measures_in(work, kind), parts, lambda _, rows: np.ones(rows, np.bool_))
        for kind in recipe.steps
    )
    step = recipe.steps[NearDuplicates.NAME]
    assert isinstance(step, NearDuplicates)
    with scratch_beside(work) as scratch:
        return totals(exact), overlap(exact, near, step, scratch)


def matrix(sources: list[str], shared: pl.DataFrame, kind: str) -> np.ndarray:
    """Return float64[n, n]: the share of the row's bytes that is in the column's source, too."""
    place = {source: i for i, source in enumerate(sources)}
    shares = np.zeros((len(sources), len(sources)))
    for source, other, share in shared.filter(kind=kind).select("source", "other", "share").iter_rows():
        if source in place and other in place:
            shares[place[source], place[other]] = share
    return shares


def draw(sources: list[str], shared: pl.DataFrame, kind: str = NEAR) -> str:
    """Draw the matrix as SVG: darker cells mean that more of the row's source is in the column's."""
    shares, size = matrix(sources, shared, kind), CELL * len(sources)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + size + 20}" height="{TOP + size + 20}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>Share of each row's bytes that is in the column's source, too: {kind}</title>",
    ]
    for i, source in enumerate(sources):
        name, at = escape(source[:20].translate(LINE)), CELL * i + CELL // 2
        parts.append(f'<text x="{LEFT - 8}" y="{TOP + at + 4}" text-anchor="end">{name}</text>')
        parts.append(f'<text transform="translate({LEFT + at + 4},{TOP - 8}) rotate(-60)">{name}</text>')
        for j, share in enumerate(shares[i]):
            x, y = LEFT + CELL * j, TOP + CELL * i
            fill = f'fill="#1f5fa8" fill-opacity="{np.sqrt(share):.3f}" stroke="#ccc"'
            parts.append(f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" {fill}/>')
            if share:
                color = "white" if share > 0.3 else "black"
                middle = f'x="{x + CELL // 2}" y="{y + CELL // 2 + 4}" text-anchor="middle" fill="{color}"'
                parts.append(f"<text {middle}>{share:.1%}</text>")
    return "\n".join([*parts, "</svg>\n"])
