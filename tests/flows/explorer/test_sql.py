"""Questions in SQL: answers, and queries that would read files, run on or fill the memory, each refused in a line."""

import re
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from gristmill.flows.explorer import sql
from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.sql import Questions
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.pipelines.errors import RecipeError


@pytest.fixture(scope="module")
def questions(whole):
    return Questions(whole)


def test_an_answer_is_what_the_ledger_holds(questions, shards):
    answer = questions.ask("select step, rule, count(*) as n from ledger where not kept group by step, rule")
    removed = shards("ledger").drop_nulls("step").group_by("step", "rule").len()
    assert answer.columns == ["step", "rule", "n"] and not answer.more
    assert {(*row,) for row in answer.rows} == {*removed.iter_rows()}
    joined = questions.ask("select id, words, kept from gopher join ledger using (id) where id = 'evil-2'")
    assert joined.columns == ["id", "words", "kept"] and joined.rows[0][0] == "evil-2"
    assert questions.ask("select id from ledger where false").rows == []
    assert questions.ask("show tables").rows[0] == ["c4"]


def test_rows_and_values_are_cut(questions, whole, monkeypatch):
    monkeypatch.setattr(sql, "ROWS", 7)
    answer = questions.ask("select text, violations from documents join ledger using (id) order by length(text) desc")
    assert len(answer.rows) == 7 and answer.more and len(answer.rows[0][0]) == sql.CHARACTERS
    exact = questions.ask("select id from ledger limit 7")
    assert len(exact.rows) == 7 and not exact.more


HOSTILE = [
    ("select * from read_csv('/etc/passwd')", "read_csv could read another file"),
    ("select * from READ_PARQUET('x')", "could read another file"),
    ("select * from scan_ipc ('x')", "could read another file"),
    ("select * from read_json\n('x')", "could read another file"),
    ("with a as (select * from read_ndjson('x')) select * from a", "could read another file"),
    ('select * from "read_csv"(\'x\')', "could read another file"),
    ("select * from '/etc/passwd'", "relation '/etc/passwd' was not found"),
    ("select 1 /* x */", "unexpected"),
    ("select 1; drop table ledger", "unexpected"),
    ("drop table ledger", "expected a query that begins with"),
    ("create table x as select * from ledger", "expected a query"),
    ("with t as (delete from ledger) select 1", "unsupported"),
    ("select nothing from ledger", "unable to find column"),
    ("select * from nowhere", "was not found"),
    ("select " + "(" * 900 + "1" + ")" * 900, "recursion limit"),
    ("select " + ", ".join(f"1 as a{k}" for k in range(99)), "99 columns"),
    ("select '" + "x" * 3000 + "'", "at most 2,000"),
    ("select lpad(id, 2000000000, 'x') from ledger", "of memory"),
    ("select rpad(lpad(id, 900000000, 'x'), 1800000000, 'y') from ledger", "of memory"),
    ("select * from generate_series(1, 100000000000)", "of memory"),
    ("select replace(replace(replace(replace(text, 'e', text), 'e', text), 'e', text), 'e', text) from clean",
     "of memory"),
    ("select count(*) from ledger a cross join ledger b cross join ledger c cross join ledger d cross join ledger e "
     "cross join ledger f where a.value + b.value + c.value + d.value + e.value = f.value", "seconds|of memory"),
]  # fmt: skip


def test_the_process_of_a_query_writes_not_a_byte(tmp_path):
    code = (
        "import sys; from gristmill.flows.explorer.sql_process import limit; "
        "limit(1 << 30, 5); open(sys.argv[1], 'wb', 0).write(b'x')"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True)
    assert "File too large" in done.stderr and (tmp_path / "x").stat().st_size == 0


@pytest.fixture(scope="module")
def client(whole):
    return TestClient(application(whole, Tokenizers(whole.folder)), base_url="http://127.0.0.1")


@pytest.mark.parametrize(("asked", "said"), HOSTILE, ids=[asked[:30] for asked, _ in HOSTILE])
def test_a_hostile_query_is_refused_in_a_line(client, monkeypatch, asked, said):
    monkeypatch.setattr(sql, "SECONDS", 5)
    monkeypatch.setattr(sql, "MEMORY", 1 << 30)
    answer = client.get("/sql", params={"q": asked})
    assert answer.status_code == 400
    (line,) = re.findall(r'<p class="verdict gone" role="alert">(.*)</p>', answer.text)
    assert re.search(said.replace("'", "&#39;"), line) and len(line) < 600
    assert client.get("/sql?q=select 1 as one").status_code == 200  # alive


def test_a_query_that_runs_too_long_is_ended(questions, monkeypatch):
    monkeypatch.setattr(sql, "SECONDS", 0)
    with pytest.raises(RecipeError, match=r"more than 0 seconds"):
        questions.ask("select 1")


def test_a_query_does_not_wait_for_others_for_ever(questions, monkeypatch):
    monkeypatch.setattr(sql, "SECONDS", 0)
    with questions._one, pytest.raises(RecipeError, match="other queries are running"):
        questions.ask("select 1")


def test_ids_lead_to_their_documents(client):
    page = client.get("/sql?q=select id, duplicate_of from removed where duplicate_of is not null limit 1")
    link = re.search(r'<a href="(/find\?[^"]*)"', page.text)[1]
    assert client.get(link.replace("&amp;", "&")).text.count("<h1>") == 1
