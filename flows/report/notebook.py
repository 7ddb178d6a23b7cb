"""Drawings for notebooks: the funnel, recounts, histograms, losses and tables as HTML with a style of its own."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from gristmill.flows.report.format import environment
from gristmill.flows.report.rules import measure_picture
from gristmill.flows.report.svg import HEIGHT, chart
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.tables import scan_step
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.schema import ID

CUT = 200  # characters of a value in a table


class Drawing:
    """Piece of HTML that a notebook shows, and a line of text for other places."""

    def __init__(self, text: str, html: str):
        self.text, self.html = text, html

    def __repr__(self) -> str:
        return f"Drawing: {self.text}"

    def _repr_html_(self) -> str:
        return self.html


def funnel_html(name: str, summary: dict[str, Any]) -> str:
    """Return the funnel of a run: documents and text left after each step."""
    left, size = summary["documents_in"] - summary["rejects"], summary["bytes_in"]
    rows = [("read", 0, summary["documents_in"], size)]
    rows += [("unreadable", summary["rejects"], left, size)] if summary["rejects"] else []
    for step, counts in summary["steps"].items():
        left, size = left - counts["removed"], size - counts["bytes_removed"]
        rows.append((step, counts["removed"], left, size))
    rows.append(("clean", 0, summary["clean"], summary["bytes_clean"]))
    return _render("funnel", name=name, rows=rows, total=summary["documents_in"])


def changes_html(rows: Iterable[tuple[str, int, int]]) -> str:
    """Return counts under other thresholds, beside those of the run."""
    return _render("changes", rows=list(rows))


def histogram(work: FinishedRun, measure: str) -> Drawing:
    """Return the histogram of ``step.measure`` with its thresholds; raise RecipeError if it has no numbers."""
    step, _, column = measure.partition(".")
    columns = [name for name in scan_step(work, step).collect_schema().names() if name != ID]
    if column not in columns:
        raise RecipeError(f"step {step!r} has no measure {shown(column)}; {nearest(column, columns)}")
    condition, picture = measure_picture(work, step, column)
    if picture is None:
        raise RecipeError(f"{measure} has no numbers to draw; sql counts its values: select {column}, count(*) …")
    title = f"{measure} {condition}".strip()
    return Drawing(title, _render("histogram", title=title, picture_of=picture))


def losses_html(name: str, summary: dict[str, Any], log: pl.DataFrame) -> str:
    """Return the losses of a model by step."""
    losses = log.drop_nulls("loss")
    series = [("loss", losses["step"].to_list(), losses["loss"].to_list())]
    if "validation" in log.columns:
        held_out = log.drop_nulls("validation")
        series.append(("validation", held_out["step"].to_list(), held_out["validation"].to_list()))
    return _render("losses", name=name, summary=summary, chart=chart(series, "step"))


def table_html(name: str, rows: int, head: pl.DataFrame) -> str:
    """Return the first rows of a table, long values cut."""
    cells = [[text if len(text) <= CUT else f"{text[:CUT]}…" for text in map(_cell, row)] for row in head.iter_rows()]
    return _render("table", name=name, count=rows, columns=head.columns, rows=cells)


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _render(macro: str, **values: Any) -> str:
    """Return one of the drawings of the template."""
    return environment(autoescape=True).get_template("notebook.html").render(drawing=macro, HEIGHT=HEIGHT, **values)
