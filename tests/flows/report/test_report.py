"""The report in a real browser: its numbers are the ledger's, and its clicks do what they say."""

import json
import re

import polars as pl
import pytest
from corpora import documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report.format import percent
from gristmill.flows.report.html import report
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.made import command
from gristmill.pipelines.errors import WorkError
from tests.browsing import CLIPPED
from tests.flows.report.conftest import PROSE, STEPS, every_row, number, run, table, written


def test_its_numbers_are_the_ledgers(work, told, opened):
    documents = every_row(work)
    page, said = opened(told)
    read, *steps, kept = table(page, "#funnel")
    by_step = dict(documents.drop_nulls("step").group_by("step").len().iter_rows())
    assert {name: number(removed) for name, removed, *_ in steps} == {name: by_step.get(name, 0) for name in STEPS}
    assert (number(read[3]), number(kept[3])) == (documents.height, documents["kept"].sum())
    broken = documents["violations"].explode().struct.unnest()
    rules = [(step, row) for step in STEPS for row in table(page, f"#rules-{step} .rules")]
    assert rules
    for step, (rule, _, broke, removed, alone) in rules:
        first = documents.filter(step=step, rule=rule)
        assert number(broke) == broken.filter(step=step, rule=rule).height
        assert number(removed) == first.height
        assert number(alone) == first.filter(pl.col("violations").list.len() == 1).height
    sources = {name: (rows.height, rows["kept"].sum()) for (name,), rows in documents.group_by("source")}
    of_source, of_language = (table(page, f"#origins figure:nth-of-type({n})") for n in (1, 2))
    assert {name: (number(every), number(stay)) for name, every, stay, *_ in of_source} == sources
    assert sum(number(row[1]) for row in of_language) == documents.height
    assert said == [f"request file://{told}"]


def test_histograms_count_every_document_and_all_that_break_the_rule(work, told, opened):
    documents = every_row(work)
    broken = documents["violations"].explode().struct.unnest()
    page, _ = opened(told)
    counted = {}
    for figure in page.locator("#rules-c4 figure, #rules-fineweb figure").all():
        figure.get_by_text("Table", exact=True).click()
        rows = [line.split("\t") for line in figure.locator("details tbody tr").all_inner_texts()]
        assert sum(number(row[1]) for row in rows) == documents.height
        counted[figure.locator("b").inner_text()] = sum(number(row[2]) for row in rows)
    assert counted["sentences"] == broken.filter(rule="sentences_too_low").height > 0
    assert counted["char_dup_ratio"] == broken.filter(rule="char_dup_ratio_too_high").height > 0


def test_samples_are_shown_by_reason_and_opened(told, opened):
    page, _ = opened(told)
    reasons = page.eval_on_selector_all("#reason option", "all => all.map(one => one.value)")[1:]
    assert "kept" in reasons and "exact.exact_duplicate" in reasons
    for reason in reasons:
        page.select_option("#reason", reason)
        shown = page.locator("#samples .sample:visible")
        assert {one.get_attribute("data-reason") for one in shown.all()} == {reason}
    assert not shown.first.locator("pre").is_visible()
    shown.first.locator("summary").click()
    assert shown.first.locator("pre").is_visible()
    page.select_option("#reason", "")
    assert page.locator("#samples .sample:visible").count() == page.locator("#samples .sample").count()


def test_a_mark_says_its_value_under_the_pointer(told, opened):
    page, _ = opened(told)
    bar = page.locator("#funnel svg").first
    bar.hover()
    assert page.locator("#tip").inner_text() == bar.get_attribute("data-tip")


def test_the_same_folder_gives_the_same_bytes(work, told):
    before = told.read_bytes()
    assert written(work).read_bytes() == before


def test_near_copies_are_shown_with_what_differs(tmp_path, opened):
    words = [f"word{k}" for k in range(300)]
    rows = [{"id": f"{name}{k}", "source": name, "text": " ".join([*words[:150], f"new{k}", *words[151:]])}
            for name, k in (("a", 0), ("a", 1), ("b", 2))]  # fmt: skip
    rows += [{"id": "alone", "source": "b", "text": PROSE * 4}]
    page, _ = opened(written(run(tmp_path, rows, {"near_duplicates": {}})))
    assert table(page, "#duplicates figure:first-of-type") == [["3", "1", "", "3"]]
    pair = page.locator("#pairs .pair").first
    assert {pair.locator("del").inner_text().strip(), pair.locator("ins").inner_text().strip()} < {
        "new0",
        "new1",
        "new2",
    }
    assert "equal words" in pair.inner_text()
    share = {row[0]: row[1:] for row in table(page, "#overlap")}
    assert share["a"] == ["100.0%", "100.0%"] and share["b"][1] == "·" and share["b"][0].endswith("%")


def test_what_cannot_be_read_is_counted_by_reason(tmp_path):
    rows = [{"id": str(k), "text": PROSE * 3 + str(k)} for k in range(30)]
    raw = write_jsonl(tmp_path / "raw.jsonl", rows)
    with raw.open("a") as file:
        file.write("[1, 2]\n")
    recipe = {"input": {"paths": [str(raw)], "max_reject_fraction": 0.5}, "steps": STEPS}
    clean(parse_recipe(recipe, "test"), UPath(tmp_path / "work"))
    page = written(UPath(tmp_path / "work")).read_text()
    assert 'id="rejects"' in page and "unreadable" in page


def test_passages_of_a_repeats_step_are_no_items_of_benchmarks(tmp_path):
    steps = {"repeated_passages": {"min_copies": 2}, "exact": {}}
    page = written(run(tmp_path, list(documents(count=30)), steps)).read_text()
    assert 'id="repeats"' in page and 'id="benchmarks"' not in page


def test_a_run_that_keeps_nothing_has_a_report_too(tmp_path):
    page = written(run(tmp_path, [{"id": "a", "text": "short"}])).read_text()
    assert '<td class="num" id="clean-documents">0</td>' in page


@pytest.mark.parametrize(("short", "long", "says"), [(1, 3, "1 of 4 documents (25.0%)"), (1, 4, None), (0, 1, None)])
def test_a_run_of_short_documents_names_the_recipe_for_them(tmp_path, short, long, says):
    rows = [{"id": str(i), "text": text} for i, text in enumerate(["a b"] * short + ["a b c"] * long)]
    page = written(run(tmp_path, rows, {"gopher": {"min_words": 3}})).read_text()
    found = re.search(r"Mostly short: (.*) have fewer words than.*gristmill recipes short-text", page)
    assert (found and found[1]) == says


def test_an_unfinished_run_is_one_line(tmp_path):
    with pytest.raises(WorkError, match="missing or unfinished; `gristmill run RECIPE"):
        report(UPath(tmp_path), UPath(tmp_path / "page.html"))


def test_its_first_lines_say_how_the_run_was_made(work, told, opened):
    before = (work / "run.json").read_bytes()
    note = json.loads(before) | {
        "began": 1_700_000_000.0,
        "command": ["/home/ada/.venv/bin/gristmill", "clean", "/home/ada/a b.toml"],
    }
    (work / "run.json").write_bytes(json.dumps(note).encode())
    report(work, work / "report" / "again.html")
    page, _ = opened(work / "report" / "again.html")
    assert page.locator(".over").inner_text() == f"Gristmill {FinishedRun(work).version} report, 2023-11-14"
    said = page.locator(".made").inner_text()
    assert "gristmill clean 'a b.toml'" in said and "raw.jsonl: " in said and "300 documents" in said
    (work / "run.json").unlink()  # as on an object store
    report(work, work / "report" / "again.html")
    assert "Command" not in (work / "report" / "again.html").read_text()
    (work / "run.json").write_bytes(before)
    assert command(["-c"]) == command([]) == ""


def test_text_is_shared_out_as_read_and_as_kept(work, told, opened):
    page, _ = opened(told)
    rows = every_row(work)
    kept = rows.filter("kept")
    for name, *_, read, held in table(page, "#origins figure:nth-of-type(1)"):
        here, stays = (frame.filter(source=name) for frame in (rows, kept))
        assert read == percent(here["bytes"].sum(), rows["bytes"].sum())
        assert held == percent(stays["clean_bytes"].sum(), kept["clean_bytes"].sum())
    languages = table(page, "#origins figure:nth-of-type(2)")
    some = sum(number(row[2]) > 0 for row in languages)
    assert f"{some} of {len(languages)} languages kept" in page.locator(".tiles").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_no_word_is_cut_on_a_phone_or_a_desk(told, opened, width, scheme):
    page, said = opened(told, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    cut = page.evaluate(CLIPPED)
    assert [word for word in cut if width == 390 or not word.endswith("(ellipsis)")] == []
    assert len(said) == 1
