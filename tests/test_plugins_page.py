"""docs/plugins.md: its files are written, its commands are run, as printed and in order."""

import polars as pl
import pytest
from pages import run_page


@pytest.mark.slow
def test_the_examples_run_as_printed(tmp_path):
    run_page("docs/plugins.md", tmp_path)
    removed = {work: dict(_removed(tmp_path / work)) for work in ("shouting", "marks", "smileys", "fortunes", "edu")}
    assert removed == {
        "shouting": {"loud": "shouty.exclamations_too_high"},
        "marks": {"loud": "marks.marks_too_high"},
        "smileys": {},
        "fortunes": {},
        "edu": {"loud": "edu.score_too_low", "marked": "edu.missing"},
    }
    assert "the mill by the river and its flour" in _texts(tmp_path / "smileys")
    assert _texts(tmp_path / "fortunes") == [
        "God's mill grinds slow but sure.",
        "All is grist that comes to the mill.",
    ]


def _removed(work):
    ledger = pl.read_parquet(work / "ledger" / "*.parquet").filter(~pl.col("kept"))
    return ledger.select("id", pl.format("{}.{}", "step", "rule")).iter_rows()


def _texts(work):
    return pl.read_parquet(work / "clean" / "*.parquet")["text"].to_list()
