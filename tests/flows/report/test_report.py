"""The report in a real browser: its numbers are the ledger's, its clicks do what they say, text in it is only text."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
from corpora import documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report import ledger
from gristmill.flows.report.html import report
from gristmill.flows.report.samples import CHARACTERS, LINES, excerpt, without_personal
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pipelines.storage.sealed import write_sealed

STEPS = {"language": {}, "c4": {"min_sentences": 2}, "fineweb": {}, "pii": {}, "exact": {}}
RTL = "\u202e\u200f\u2066"
PROSE = "The mill by the river turns grain into flour. People have made bread of it for years. "
ATTACKS = {
    "script": "<script>window.hacked = 1; console.log('hacked'); fetch('http://127.0.0.1:9/')</script>",
    "handler": "<img src=x onerror='window.hacked = 1'><svg onload=window.hacked=1><body onpointermove=alert(1)>",
    "closing": "</pre></details></style></title></textarea></script>--><script>window.hacked = 1</script>",
    "template": "{{ 7 * 7 }} {% for x in y %} {{ config }} ${7 * 7} #{1}",
    "marks": f"left {RTL} right\x00 zero \x1b[31m red \x07 bell",
    "entity": "&lt;b&gt; &amp;amp; &#60;script&#62; <!-- a comment",
}


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


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """Every attack in a document that stays, in one that goes, and in their ids and sources; all are shown."""
    rows = []
    for name, attack in ATTACKS.items():
        rows += [
            {"id": f"stays {name} {attack}", "source": attack, "text": f"{PROSE}{attack} {PROSE * 2}{name}."},
            {"id": f"goes {name} {attack}", "source": attack, "text": attack},
        ]
    rows += [{"id": "long", "source": "a", "text": f"{PROSE} {'<b>' * 350_000} {PROSE}"}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "SAMPLES", 100)
        return written(run(tmp_path_factory.mktemp("hostile"), rows))


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


def test_hostile_text_is_shown_and_runs_nothing(hostile, opened):
    page, said = opened(hostile)
    page.locator("#samples summary").first.click()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    texts = page.locator("#samples pre").all_inner_texts()
    ids = page.locator("#samples .id").all_inner_texts()
    shown = {name: attack for name, attack in ATTACKS.items() if name != "marks"}
    shown["marks"] = r"left \u202e\u200f\u2066 right\x00 zero \x1b[31m red \x07 bell"
    for name, attack in shown.items():
        assert sum(attack in text for text in texts) == 2, name
        assert any(id == f"stays {name} {attack}" for id in ids), name
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("[...document.querySelectorAll('script, style, img, iframe, link, object')].length") == 2
    assert page.evaluate("getSelection().selectAllChildren(document.body), getSelection().toString().length") > 1000
    assert said == [f"request file://{hostile}"]


def test_a_megabyte_of_one_line_is_cut(hostile, opened):
    page, _ = opened(hostile)
    page.locator("#samples .sample", has=page.get_by_text("long", exact=True)).locator("summary").click()
    text = page.locator("#samples .sample[open] pre").inner_text()
    assert text.startswith(PROSE.strip()) and len(text) <= CHARACTERS
    assert "1.1 MB" in page.locator("#samples .sample[open] .note").inner_text()
    assert len(hostile.read_bytes()) < 300_000


def test_its_policy_lets_no_other_script_run(told, opened):
    page, said = opened(told)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.body.append(script);
            const image = "<img src='http://127.0.0.1:9/' onerror='window.hacked = 1'>";
            document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in line or "violates" in line for line in said), said
    assert [line for line in said if line.startswith("failed")] == ["failed csp"]


def test_the_page_never_scrolls_sideways_light_or_dark(hostile, opened):
    page, _ = opened(hostile)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    for width in (360, 390, 800, 1400):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (max(map(int, paper[4:-1].split(","))) < 60) == (scheme == "dark")


def test_the_same_folder_gives_the_same_bytes(work, told):
    before = told.read_bytes()
    assert written(work).read_bytes() == before


def test_personal_data_and_places_stay_out_of_it(tmp_path):
    rows = [{"id": str(k), "text": f"{PROSE * 2}Write to ada{k}@mill.org or 10{k}."} for k in range(6)]
    rows += [{"id": "short", "text": "ada@mill.org"}]
    page = written(run(tmp_path, rows)).read_text()
    assert "@mill.org" not in page and "&lt;EMAIL&gt;" in page
    assert str(tmp_path) not in page and "raw.jsonl" in page


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


def test_what_was_made_of_it_is_told(tmp_path, opened):
    from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize
    from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer

    work = run(tmp_path, list(documents()))
    settings = tokenizer_settings({"vocab_size": 300})
    train_tokenizer([str(work)], work / "tokenizers" / "small", settings)
    made = tokenize([str(work)], str(work / "tokenizers" / "small"), work / "tokens" / "all", token_settings(()))
    trained = work / "runs" / "tiny"
    trained.mkdir(parents=True)
    log = [{"step": k, "loss": 6 - k / 10} for k in range(1, 11)] + [{"step": 10, "validation": 5.25}]
    (trained / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    summary = {"steps": 10, "tokens": 640, "epochs": 0.5, "parameters": 1234, "loss": 5.0, "validation": 5.25}
    (trained / "summary.json").write_text(json.dumps(summary | {"bits_per_byte": 2.125}))
    part = Part.from_files(trained, "fingerprint", ["summary.json"], {})
    Manifest("fingerprint", {"train": {}}, {"run": part}).write(trained)
    page, said = opened(written(work))
    ((name, algorithm, pieces, *_),) = table(page, "#tokenizers")
    assert (name, algorithm, pieces) == ("small", "bpe", "300")
    rows = table(page, ".tokens table:first-of-type")
    assert sum(number(tokens) for _, _, tokens, *_ in rows) == made.manifest.counts["tokens"]
    assert table(page, "#losses") == [["tiny", "1,234", "10", "640", "0.50", "5.000", "5.250", "2.125"]]
    assert page.locator("#losses polyline").count() == 1 and page.locator("#losses .dot").count() == 1
    assert len(said) == 1


def test_an_experiment_is_told_with_its_intervals(work, tmp_path, opened):
    question = {"arm": "full", "against": "raw", "delta": -0.02, "interval": [-0.03, -0.01], "margin": 0.005}
    question |= {
        "adjusted": 0.012,
        "bytes_per_millibit": 4200.0,
        "verdict": "better",
        "sentence": "full against raw: <b>",
    }
    arm = {"documents": 3, "bytes": 10, "trained_tokens": 9, "epochs": 1.0, "runs": 3}
    losses = {"novels": {"mean": 2.5, "sd": 0.01}}
    result = {"headline": "full against raw: <b>", "test": {"decision_set": "novels"}, "questions": [question]}
    result |= {"warnings": [], "arms": [arm | {"name": name, "losses": losses} for name in ("full", "raw")]}
    write_sealed(UPath(tmp_path / "impact.json"), result)
    report(work, UPath(tmp_path / "page.html"), UPath(tmp_path))
    page, _ = opened(tmp_path / "page.html")
    assert table(page, "#intervals") == [
        ["full", "raw", "", "−0.0200", "−0.0300 to −0.0100", "0.012", "better", "4.2 kB"]
    ]
    assert page.locator("#impact .lead").inner_text() == "full against raw: <b>"
    point, zero = (page.locator(f"#intervals {mark}").bounding_box()["x"] for mark in (".dot", ".zero"))
    assert point < zero


def test_an_experiment_that_is_not_there_is_one_line(work, tmp_path):
    with pytest.raises(WorkError, match=r"holds no impact.json; `gristmill impact run"):
        report(work, UPath(tmp_path / "page.html"), UPath(tmp_path))


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
    with pytest.raises(WorkError, match="missing or unfinished; `gristmill clean"):
        report(UPath(tmp_path), UPath(tmp_path / "page.html"))


@pytest.mark.parametrize(
    ("text", "size", "shown", "more"),
    [
        ("", 0, "", 0),
        ("a\nb", 3, "a\nb", 0),
        ("x" * 400, 400, "x" * 400, 0),
        ("x" * 401, 401, "x" * 400 + "…", 401),
        ("\n".join(["a"] * LINES), 47, "\n".join(["a"] * LINES), 0),
        ("\n".join(["a"] * (LINES + 1)), 49, "\n".join(["a"] * LINES), 49),
        ("the beginning", 9_000, "the beginning", 9_000),
        ("\x00\u202e\r", 5, r"\x00\u202e\r", 0),
    ],
)
def test_an_excerpt_is_as_much_as_a_page_can_bear(text, size, shown, more):
    told = excerpt(text, size)
    assert (told["text"], told["more"]) == (shown, more)


def test_personal_data_is_replaced_whatever_the_run_did():
    assert without_personal(["ask ada@mill.org", "", "nothing"]) == ["ask <EMAIL>", "", "nothing"]
    assert without_personal([]) == []
