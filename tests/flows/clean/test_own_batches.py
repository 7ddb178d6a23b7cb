"""A user's filters over batches and rewriters: what they return is checked, and a fault names the document."""

import polars as pl
import pytest

from gristmill.flows.runs.explain import explain
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import PluginError
from tests.flows.clean.conftest import ROWS, SHOUTY

BATCHES = """
import numpy as np
import polars as pl
import gristmill as gm


class Marks(gm.BatchFilter):
    RULES = ("max_marks",)
    max_marks: int | None = 1

    def measure(self, batch):
        before = np.append(0, np.cumsum(batch.text.data == ord("!")))
        marks = np.diff(before[batch.text.offsets])
        BODY
        return pl.DataFrame({"marks": marks})
"""


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", ""),
        (
            "if (np.diff(batch.text.offsets) == 0).any(): raise ValueError('no text')",
            "ValueError: no text (my_filters.py, line",
        ),
        ("marks = np.where(np.diff(batch.text.offsets) == 0, np.nan, marks)", "marks is nan, expected a finite number"),
        (
            "marks = [None if b == e else 1 for b, e in zip(batch.text.offsets, batch.text.offsets[1:])]",
            "marks is None",
        ),
    ],
)
def test_a_filter_over_batches_is_checked_too(mill, body, fault):
    mill.code(BATCHES.replace("BODY", body))
    mill.recipe('[steps.marks]\nuse = "my_filters.py:Marks"\n')
    if fault:
        with pytest.raises(PluginError) as error:
            mill.run()
        assert "[steps.marks] fails on document 'empty': " in str(error.value) and fault in str(error.value)
        mill.run('marks.on_error="reject"')
        assert mill.reasons()["empty"] == "marks.failed"
        assert fault in explain(mill.work, "empty")["measures"]["marks"]["fault"]
    else:
        mill.run()
        assert mill.reasons() == {"loud": "marks.marks_too_high"}
        assert explain(mill.work, "loud")["measures"] == {"marks": {"marks": 2}}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return 3", "measure returned 3, expected a polars.DataFrame with 3 rows"),
        ("return pl.DataFrame({'marks': [1]})", "measure returned 1 rows, expected a polars.DataFrame with 3 rows"),
        ("return pl.DataFrame({'other': marks})", "a rule compares the measure 'marks', .* found none"),
        (
            "return pl.DataFrame({'marks': ['a', 'b', 'c']})",
            "expected a column of numbers, found a column of type String",
        ),
    ],
)
def test_a_batch_that_does_not_fit_stops_the_run(mill, body, told):
    mill.code(BATCHES.replace("BODY", body))
    mill.recipe('[steps.marks]\nuse = "my_filters.py:Marks"\n')
    with pytest.raises(PluginError, match=told):
        mill.run()


REWRITER = '''
import gristmill as gm


class Unshout(gm.Rewriter):
    """Replaces exclamation marks by full stops."""

    RULES = ("max_changed",)
    max_changed: float | None = gm.share(0.5)

    def rewrite(self, doc):
        return doc.text.replace("!", ".")
'''


def test_a_rewriter_returns_text_and_the_ledger_has_its_spans(mill):
    mill.code(REWRITER + SHOUTY)
    mill.recipe('[steps.calm]\nuse = "my_filters.py:Unshout"\n[steps.shouty]\nuse = "my_filters.py:Shouty"\n')
    mill.run()
    assert mill.reasons() == {}
    row = explain(mill.work, "loud")
    assert row["rewrites"] == [{"step": "calm", "reason": "rewritten", "spans": 2, "bytes": 2}]
    assert row["measures"] == {"calm": {"changed": 0.2}, "shouty": {"exclamations": 0.0}}
    texts = pl.read_parquet(mill.folder / "work" / "clean" / "*.parquet")["text"]
    assert texts.to_list() == ["Stop. Now.", *(row["text"] for row in ROWS[1:])]
    assert what_if(mill.work, ("calm.max_changed=0.1",))[1]["steps"]["calm"]["removed"] == 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("None if not doc.text else doc.text", "TypeError: rewrite returned None, expected text"),
        ("doc.text or '\\ud800'", "UnicodeEncodeError: "),
        ("doc.text[0] + doc.text[1:]", "IndexError: string index out of range (my_filters.py, line 12)"),
    ],
)
def test_a_fault_of_a_rewriter_names_the_document(mill, body, fault):
    mill.code(REWRITER.replace('doc.text.replace("!", ".")', body))
    mill.recipe('[steps.calm]\nuse = "my_filters.py:Unshout"\n')
    with pytest.raises(PluginError) as error:
        mill.run()
    assert "[steps.calm] fails on document 'empty': " in str(error.value) and fault in str(error.value)
    mill.run('calm.on_error="reject"')
    assert mill.reasons() == {"empty": "calm.failed"}
