"""A finished run, its report, and the report in a browser."""

from pathlib import Path

import polars as pl
import pytest
from corpora import documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report.html import report

STEPS = {"language": {}, "c4": {"min_sentences": 2}, "fineweb": {}, "pii": {}, "exact": {}}
PROSE = "The mill by the river turns grain into flour. People have made bread of it for years. "


def run(folder, rows, steps=None):
    """A finished work folder of some documents."""
    raw = write_jsonl(Path(folder) / "raw.jsonl", rows)
    recipe = {"name": "test", "input": {"paths": [str(raw)]}, "steps": steps or STEPS}
    clean(parse_recipe(recipe, "test"), UPath(folder) / "work")
    return UPath(folder) / "work"


def written(work):
    report(work, work / "report" / "index.html")
    return work / "report" / "index.html"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return run(tmp_path_factory.mktemp("report"), list(documents()))


@pytest.fixture(scope="module")
def told(work):
    return written(work)


@pytest.fixture
def opened(browser):
    """Open a page; returns it with all that it said and asked for."""
    contexts = []

    def open(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page, said = context.new_page(), []
        for event in ("console", "pageerror", "request", "dialog"):
            page.on(event, lambda what, event=event: said.append(f"{event} {getattr(what, 'url', what)}"))
        page.on("requestfailed", lambda what: said.append(f"failed {what.failure}"))
        page.goto(f"file://{path}")
        return page, said

    yield open
    for context in contexts:
        context.close()


def every_row(work):
    return pl.concat([pl.read_parquet(str(path)) for path in sorted((work / "ledger").glob("*.parquet"))])


def number(text):
    return int(text.replace(",", "").replace("−", "") or 0)


def table(page, selector):
    """The cells of a table's body, row by row."""
    read = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    return page.eval_on_selector_all(f"{selector} tbody tr", read)
