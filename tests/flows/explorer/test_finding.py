"""Documents are found by state, reason, source, language and text, each once."""

import polars as pl
import pytest

from gristmill.flows.explorer.query import Query, find_page
from gristmill.flows.explorer.thresholds import Thresholds


def walked(index, query):
    found, after = [], -1
    while after is not None:
        got = find_page(index, Thresholds(index), query, after, size=7)
        assert got.rows or got.searched or got.after is None
        found, after = found + [row.id for row in got.rows], got.after
    return found


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(state="kept", source="crawl-1"),
        Query(state="removed", language="de"),
        Query(reason="gopher"),
        Query(reason="c4.sentences_too_low", source="crawl-0"),
        Query(violates="gopher.words_too_low"),
        Query(source="nowhere"),
        Query(text="PRIVACY policy"),
        Query(text="<SCRIPT>"),
        Query(text="evil-"),
        Query(text="x" * 50, state="kept"),
        Query(text="("),
    ],
)
def test_pages_hold_what_was_asked_for_once(whole, query, monkeypatch, shards):
    rows = shards("ledger").with_columns(
        text=shards("documents")["text"],
        language=pl.Series([whole.language.names[code] for code in whole.language.codes]),
    )

    def wanted(row):
        reason = f"{row['step']}.{row['rule']}"
        return (
            {"all": True, "kept": row["kept"], "removed": not row["kept"]}[query.state]
            and query.reason in ("", row["step"], reason)
            and (not query.violates or query.violates in [f"{r['step']}.{r['rule']}" for r in row["violations"]])
            and query.source in ("", row["source"])
            and query.language in ("", row["language"])
            and (query.text.lower() in row["text"].lower() or query.text.lower() in row["id"].lower())
        )

    expected = [row["id"] for row in rows.iter_rows(named=True) if wanted(row)]
    assert walked(whole, query) == expected
    monkeypatch.setattr("gristmill.flows.explorer.query.SEARCH_SECONDS", 0)  # every shard is where a search stops
    assert walked(whole, query) == expected
