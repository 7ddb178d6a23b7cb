"""Share kept by cluster size: documents that the first deduplication step saw, each judged by its own text."""

import pytest
from upath import UPath

from gristmill.flows.report.html import report
from gristmill.flows.report.kept_by_size import kept_by_size
from gristmill.flows.runs.finished import FinishedRun
from tests.flows.report.conftest import run

GOOD, BAD = "The mill by the river turns the grain of {} farms into flour, and all have bread.", "word{0} " * 12


def rows():
    """Groups of 1, 1, 2, 3, 5 and 9 documents; those of 1 and 3 are bad, and one near copy of the 5 has a long tail."""
    groups = [(BAD, 1), (GOOD, 1), (GOOD, 2), (BAD, 3), (GOOD, 5), (GOOD, 9)]
    found = [
        {"id": f"{k}-{i}", "text": " ".join(f"{text.format(k * 100 + n)}" for n in range(9)), "source": "s"}
        for k, (text, size) in enumerate(groups)
        for i in range(size)
    ]
    found[7]["text"] += " and more"  # 4-0: the other four are its near copies, and one is left of exact copies
    return found


RULES = {"gopher": {"min_words": 1, "min_stop_words": 2, "max_words": 1000}}
DEDUP = {"exact": {}, "near_duplicates": {}}


def counts(folder, steps):
    return [tuple(row.values()) for row in kept_by_size(FinishedRun(run(folder, rows(), steps)))]


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        ("copies", [("1", 2, 1), ("2", 2, 2), ("3 to 4", 3, 0), ("5 to 8", 5, 5), ("9 to 16", 9, 9)]),
        ("all", [("1", 3, 2), ("2", 2, 2), ("3 to 4", 7, 4), ("9 to 16", 9, 9)]),  # exact copies went: 4-0 is alone
    ],
)
def test_each_member_counts_by_its_own_text(tmp_path, drop, expected):
    steps = {name: {"drop": drop} for name in DEDUP} | RULES
    assert counts(tmp_path, steps) == expected
    report(UPath(tmp_path) / "work", UPath(tmp_path) / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("of all its documents, copies too") == 1 and '<th scope="row">9 to 16</th>' in page


def test_documents_that_rules_removed_before_are_in_no_group(tmp_path):
    assert counts(tmp_path / "before", RULES | DEDUP) == []
    shorter = {"short": {"use": "gopher", "min_words": 1, "min_stop_words": 0, "max_words": 100}}
    found = counts(tmp_path / "both", RULES | DEDUP | shorter)
    assert found == [("1", 1, 0), ("2", 2, 0), ("5 to 8", 5, 0), ("9 to 16", 9, 0)]
