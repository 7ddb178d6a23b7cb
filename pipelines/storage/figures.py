"""Figures of matplotlib, drawn without a display and written as PNG."""

import io
from typing import TYPE_CHECKING

from upath import UPath

from gristmill.pipelines.storage.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of this size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write_png(figure: "Figure", path: UPath) -> None:
    """Write a figure, without the version of matplotlib in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
