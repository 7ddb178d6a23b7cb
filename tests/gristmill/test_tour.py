"""docs/tour.ipynb runs from raw text to a loss, and its drawings are drawn."""

import os
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"

pytestmark = pytest.mark.slow


@pytest.fixture
def _undeclared_inputs_are_hidden():
    """Nothing is hidden here: the fixture of conftest.py knows no relative paths."""


def html(cell):
    """Return the HTML of a cell's result, "" without one."""
    return "".join(output.get("data", {}).get("text/html", "") for output in cell["outputs"])


def test_the_tour_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    for name, folder in {"IPYTHONDIR": "ipython", "JUPYTER_RUNTIME_DIR": "runtime"}.items():
        monkeypatch.setenv(name, os.fspath(tmp_path / folder))
    tour = nbformat.read(DOCS / "tour.ipynb", as_version=4)
    (tmp_path / "tour").mkdir()
    client.NotebookClient(tour, timeout=600, resources={"metadata": {"path": tmp_path / "tour"}}).execute()
    code = [cell for cell in tour.cells if cell.cell_type == "code"]
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "stream"]
    drawn = {cell["source"].splitlines()[-1]: html(cell) for cell in code}
    for line, mark in {
        "run": "near_duplicates",
        "run.removed": "reason",
        'run.histogram("gopher.words")': 'class="threshold"',
        'run.what_if({"gopher.min_words": 30})': "words_too_low",
        "model": "curve",
    }.items():
        assert 'class="gristmill"' in drawn[line] and mark in drawn[line], line
