"""The explorer in a real browser: its counts are the ledger's, and nothing a document says runs."""

import os
import re
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import polars as pl
import pytest
import uvicorn
from corpora import documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from flows.explorer import document as documents_of
from flows.explorer.app import application
from flows.explorer.export import recipe_toml
from flows.explorer.find import Query, page
from flows.explorer.index import Index
from flows.explorer.serve import listen
from flows.explorer.shown import OBEYED, number, shown, size
from flows.explorer.spread import spread
from flows.explorer.thresholds import Thresholds, movable
from flows.explorer.tokens import Tokenizers
from flows.recipe import FILTERS, parse_recipe, read_recipe
from flows.run import clean
from flows.train_tokenizer import train_tokenizer
from flows.what_if import what_if
from pipelines.errors import RecipeError, WorkError
from pipelines.files import place
from tokenizers_lab.train import TokenizerSettings

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = """
name = "explored"

[steps.language]
min_probability = 0.0

[steps.c4]
min_sentences = 2

[steps.gopher]
max_words = "off"
min_stop_words = 1

[steps.gopher.profiles.neutral]
min_words = 20

[steps.fineweb]
min_line_punct_ratio = "off"

[steps.noise]

[steps.pii]
"""
COPIES = "\n[steps.exact]\n\n[steps.near]\n\n[steps.repeats]\nmin_copies = 4\n"
EVIL = "</title></style><script>alert('text')</script><img src=x onerror=alert(1)><svg onload=alert(2)>{{ 7 * 7 }}"
MARKS = "The mill\x00 grinds \u202eevil\u202c slowly \x1b[31m\u2066.\u2069 \u05e9\u05dc\u05d5\u05dd"


def hostile():
    """Documents that would break out of a page, or freeze it."""
    prose = "The mill by the river turns grain into flour, and of the flour people have made bread for years. " * 6
    yield {"id": f"evil-1 {EVIL}", "text": f"{prose}\n{EVIL}\n{MARKS}", "source": f"crawl {EVIL}", "note": EVIL}
    yield {"id": "evil-2", "text": "The mill is long. " + "x" * 1_000_000 + " END", "source": "crawl-1"}
    yield {"id": "evil-3", "text": "&lt;b&gt; " + prose + "\r\nWrite to jane.doe@flourmill.org or call.\r\n" + "<!--"}
    yield {"id": "evil-4 \u202egnirts", "text": "\u0000", "source": "crawl-0"}


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    """Two finished runs over the same documents: of rules alone, and with steps over the whole corpus behind them."""
    folder = tmp_path_factory.mktemp("explorer")
    write_jsonl(folder / "raw" / "0.jsonl", [*documents(240), *hostile()])
    german = "Die M\u00fchle am Fluss mahlt das Korn zu Mehl, und aus dem Mehl wird seit vielen Jahren Brot gebacken. "
    rows = [{"id": f"de-{n}", "text": german * (n % 9), "source": "crawl-2"} for n in range(40)]
    write_jsonl(folder / "raw" / "1.jsonl", rows)
    for name, steps in (("rules", RULES), ("whole", RULES + COPIES)):
        (folder / f"{name}.toml").write_text(steps)
        clean(read_recipe(str(folder / f"{name}.toml"), paths=(str(folder / "raw"),)), place(folder / name))
    tokenizer = place(folder / "whole" / "tokenizers" / "bpe")
    train_tokenizer([str(folder / "whole")], tokenizer, TokenizerSettings(vocab_size=400))
    return folder


@pytest.fixture(scope="module")
def rules(works):
    return Index(place(works / "rules"))


@pytest.fixture(scope="module")
def whole(works):
    return Index(place(works / "whole"))


@pytest.fixture(scope="module")
def client(whole):
    return TestClient(application(whole, Tokenizers(whole.work)), base_url="http://127.0.0.1")


def shards(index, folder):
    return pl.concat([pl.read_parquet(path) for path in sorted(Path(index.work / folder).glob("*.parquet"))])


# What is known of the run


def test_the_index_counts_what_the_ledger_says(whole):
    rows = shards(whole, "ledger")
    assert whole.documents == len(rows) and whole.kept.tolist() == rows["kept"].to_list()
    first = [".".join(whole.rules[code]) if code >= 0 else None for code in whole.first]
    assert first == rows.select(pl.concat_str("step", "rule", separator=".")).to_series().to_list()
    for (step, rule), places in whole.broken.items():
        broke = [
            {"step": step, "rule": rule} in ({k: r[k] for k in ("step", "rule")} for r in row)
            for row in rows["reasons"]
        ]
        assert places.tolist() == np.flatnonzero(broke).tolist()
    assert [whole.source.names[code] for code in whole.source.codes] == rows["source"].to_list()
    assert whole.bytes.sum() == rows["bytes"].sum()


def test_a_run_without_a_recipe_or_a_ledger_says_so(tmp_path, works):
    with pytest.raises(WorkError, match="missing or unfinished"):
        Index(place(tmp_path))


@pytest.mark.parametrize("steps", ["", "[steps.exact]"])
@pytest.mark.parametrize("rows", [[], [{"id": "a", "text": "One."}, {"id": "b", "text": "One."}]])
def test_a_run_without_rules_or_documents_is_shown_too(tmp_path, steps, rows):
    (tmp_path / "recipe.toml").write_text(f"input = {{ max_reject_fraction = 1.0 }}\n{steps}")  # an empty file is one
    write_jsonl(tmp_path / "raw.jsonl", rows)
    clean(read_recipe(str(tmp_path / "recipe.toml"), paths=(str(tmp_path / "raw.jsonl"),)), place(tmp_path / "work"))
    index = Index(place(tmp_path / "work"))
    client = TestClient(application(index, Tokenizers(index.work)), base_url="http://localhost")
    assert f'data-total="all">{len(rows)}<' in client.get("/").text
    assert "No step of this run judges" in client.get("/thresholds").text
    assert client.get("/?text=one").text.count('<a class="row') == len(rows)


# Moving thresholds

MOVES = [
    ("gopher.min_words=30",),
    ("gopher.min_words=80", "noise.max_markup=0.01", "c4.min_sentences=5"),
    ("gopher.profiles.de.min_words=100",),
    ("gopher.profiles.neutral.min_words=off", "gopher.max_words=60", "fineweb.min_line_punct_ratio=0.9"),
    ("fineweb.max_list_ratio=off", "c4.min_sentences=0", "language.min_probability=0.998"),
]


@pytest.mark.parametrize("asked", MOVES)
def test_a_moved_threshold_changes_what_a_run_would(tmp_path, works, rules, asked):
    thresholds = Thresholds(rules)
    changes = thresholds.read([*asked])
    outcome = thresholds.what_if(changes)
    _, told = what_if(rules.work, changes)
    assert outcome["kept"][1] == told["clean"] and outcome["clean_bytes"][1] == told["bytes_clean"]
    (tmp_path / "explored.toml").write_text(recipe_toml(thresholds.recipe(changes), changes))
    clean(read_recipe(str(tmp_path / "explored.toml")), place(tmp_path / "work"))
    again = Index(place(tmp_path / "work"))
    assert thresholds.moved(changes).after.tolist() == again.kept.tolist() != rules.kept.tolist()
    assert outcome["newly_removed"] == int((rules.kept & ~again.kept).sum())
    assert outcome["newly_kept"] == int((again.kept & ~rules.kept).sum())
    for name, (_, broken) in outcome["broken"].items():
        assert broken == len(again.broken.get(tuple(name.split(".")), ()))


def test_steps_over_the_corpus_are_counted_as_they_stand(whole):
    thresholds = Thresholds(whole)
    after = thresholds.moved(("gopher.min_words=1",)).after
    (exact,) = (places for rule, places in whole.broken.items() if rule == ("exact", "exact_duplicate"))
    assert exact.size and not after[exact].any()


def test_every_setting_that_is_compared_can_be_moved():
    for name, kind in FILTERS.items():
        step = kind.model_construct(model="none is read")
        for threshold in movable({name: step}).values():
            moved = step.model_copy(update={threshold.setting: 7})
            assert (
                moved.rules()[threshold.rule].threshold == 7 or 7 in moved.rules()[threshold.rule].thresholds.values()
            )
    assert len(movable({"gopher": FILTERS["gopher"]()})) == 11
    assert "perplexity.low_percentile" not in movable({"perplexity": FILTERS["perplexity"]()})
    chosen = FILTERS["classifier"].model_construct(model="none is read", min_score="chosen")
    assert "classifier.low_score" in movable({"classifier": chosen})


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        (["gopher.min_words=30.0"], ("gopher.min_words=30",)),
        (["gopher.min_words=50"], ()),
        (["gopher.min_words=30", "gopher.min_words=50"], ()),
        (["gopher.max_words=off"], ()),
        (["noise.max_markup=.3", "gopher.min_words=off"], ("gopher.min_words=off", "noise.max_markup=0.3")),
    ],
)
def test_moves_are_read_in_one_form(rules, asked, read):
    assert Thresholds(rules).read(asked) == read


@pytest.mark.parametrize(
    "asked",
    ["gopher.min_words=1.5", "gopher.min_words=x", "gopher.min_words=nan", "gopher.stop_words=1", "x=1", "",
     "gopher.min_words=1\nname = 'y'", "gopher.profiles.xx.min_words=1", "fineweb.max_list_ratio=inf"],
)  # fmt: skip
def test_what_is_no_move_is_a_mistake(rules, asked):
    with pytest.raises(RecipeError):
        Thresholds(rules).read([asked])


def test_an_exported_recipe_is_the_moved_one(rules):
    table = {"steps": {"mine": {"use": "gopher", "variant": "paper", "min_words": 3, "max_words": "off"}}}
    table |= {"name": 'a "name"\n\x7f\u2028', "words": "spacy", "input": {"paths": ["a\\b", "\u00e9"]}}
    table["steps"]["fineweb"] = {"profiles": {"zh": {"max_list_ratio": "off"}}, "use_profiles": False}
    recipe = parse_recipe(table, "test")
    assert parse_recipe(tomllib.loads(recipe_toml(recipe, ("mine.min_words=3",))), "again") == recipe


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(0, 70).map(float), max_size=50), st.none() | st.floats(-10, 1e5))
def test_a_histogram_holds_every_document_and_the_threshold(values, threshold):
    seen = spread(np.array(values, float), threshold)
    assert sum(seen.counts) == len(values) and len(seen.edges) == len(seen.counts) + 1
    assert all(a < b for a, b in zip(seen.edges, seen.edges[1:], strict=False)) and seen.step > 0
    assert (seen.at(seen.edges[0]), seen.at(seen.edges[-1])) == (0, 1)
    assert threshold is None or seen.edges[0] <= threshold <= seen.edges[-1]


# Finding documents


def walked(index, query):
    found, after = [], -1
    while after is not None:
        got = page(index, Thresholds(index), query, after, size=7)
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
        Query(reason="c4.too_few_sentences", source="crawl-0"),
        Query(broke="gopher.too_few_words"),
        Query(source="nowhere"),
        Query(text="PRIVACY policy"),
        Query(text="<SCRIPT>"),
        Query(text="evil-"),
        Query(text="x" * 50, state="kept"),
        Query(text="("),
    ],
)
def test_pages_hold_what_was_asked_for_once(whole, query, monkeypatch):
    rows = shards(whole, "ledger").with_columns(
        text=shards(whole, "documents")["text"],
        language=pl.Series([whole.language.names[code] for code in whole.language.codes]),
    )

    def wanted(row):
        reason = f"{row['step']}.{row['rule']}"
        return (
            {"all": True, "kept": row["kept"], "removed": not row["kept"]}[query.state]
            and query.reason in ("", row["step"], reason)
            and (not query.broke or query.broke in [f"{r['step']}.{r['rule']}" for r in row["reasons"]])
            and query.source in ("", row["source"])
            and query.language in ("", row["language"])
            and (query.text.lower() in row["text"].lower() or query.text.lower() in row["id"].lower())
        )

    expected = [row["id"] for row in rows.iter_rows(named=True) if wanted(row)]
    assert walked(whole, query) == expected
    monkeypatch.setattr("flows.explorer.find.SEARCH_SECONDS", 0)  # every shard is where a search stops
    assert walked(whole, query) == expected


# A document

texts = st.text(st.sampled_from("ab\u00e9\u5b57 \n"), max_size=12)


@st.composite
def rewritten(draw):
    """A text, and by step spans of whole characters: what each cuts and puts, of what those before it left."""
    text, steps = draw(texts), []
    left = text
    for _ in range(draw(st.integers(0, 3))):
        cuts = sorted(draw(st.sets(st.integers(0, len(left)), max_size=6)))
        spans = []
        for begin, end in zip(cuts[::2], cuts[1::2], strict=False):
            offset, length = (len(left[a:b].encode()) for a, b in ((0, begin), (begin, end)))
            spans.append((offset, length, "why", draw(texts)))
        steps.append(spans)
        left = b"".join(_pieces(left.encode(), spans)).decode()
    return text, steps, left


def _pieces(text, spans):
    at = 0
    for offset, length, _, replacement in spans:
        yield text[at:offset]
        yield replacement.encode()
        at = offset + length
    yield text[at:]


@given(rewritten())
def test_marked_changes_hold_both_texts(case):
    text, steps, left = case
    pieces = documents_of.changes(text.encode(), {str(i): spans for i, spans in enumerate(steps)})
    assert "".join(piece.text for piece in pieces if piece.what != "put") == text
    assert documents_of.clean_text(pieces) == left
    whole = [documents_of.cut_out(pieces, at, at + 3) for at in range(0, 99, 3)]
    assert "".join(piece.text for some in whole for piece in some) == "".join(piece.text for piece in pieces)


def test_the_text_as_written_is_the_clean_one(whole):
    by_id, rewrote = dict(shards(whole, "clean").select("id", "text").iter_rows()), 0
    for place_ in np.flatnonzero(whole.kept).tolist()[::4]:
        (unit,) = whole.units(np.array([place_]))
        found = documents_of.read_document(whole, unit.part, int(unit.rows[0]))
        pieces = documents_of.changes(found.text, found.spans)
        assert documents_of.clean_text(pieces) == by_id[found.story["id"]]
        rewrote += len(pieces) > 1
    assert rewrote > 5


def test_tokens_spell_the_text(whole):
    text = "The mill \u5b57\u5b57 \U0001f33e grinds.\n\x00 e\u0301"
    tokens = Tokenizers(whole.work).tokens("bpe", text)
    assert "".join(token.text for token in tokens) == text and max(map(len, (token.ids for token in tokens))) > 1
    with pytest.raises(WorkError, match="there is bpe"):
        Tokenizers(whole.work).tokens("wordpiece", text)


@given(st.text())
def test_shown_text_cannot_leave_its_place(text):
    html = str(shown(text))
    assert not OBEYED.search(html)
    rest = re.sub('<i class="control" title="U\\+[0-9A-F]{4,6}">[^<>"\']*</i>', "", html)
    assert not {*rest} & {*"<>\"'"}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "off"), (50, "50"), (1234567.0, "1,234,567"), (0.26012, "0.2601"), (1234.5, "1234")]
)
def test_numbers_read_well(value, text):
    assert number(value) == text


def test_sizes_read_well():
    assert [size(999), size(1000), size(2_500_000_000_000)] == ["999 bytes", "1.0 kB", "2,500.0 GB"]


# The application

EVERY_PAGE = [
    "/",
    "/?state=removed&reason=gopher&text=mill",
    "/rows?after=3",
    "/document/{part}/0",
    "/pane/{part}/0?view=clean",
    "/text/{part}/1?from=20000",
    "/pane/{part}/0?view=bpe",
    "/copies/{part}/5",
    "/thresholds",
    "/thresholds?rule=gopher.too_few_words&profile=de&set=gopher.min_words=30",
    "/changed?set=gopher.min_words=30",
    "/what-if?set=gopher.min_words=30",
    "/recipe.toml?set=gopher.min_words=30",
    "/static/explorer.css",
]


@pytest.mark.parametrize("address", EVERY_PAGE)
def test_every_answer_is_kept_to_itself(client, whole, address):
    address = address.format(part=whole.parts[0])
    answer = client.get(address)
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in answer.text and " style=" not in answer.text and " onerror=alert(1)>" not in answer.text
    for host in ("evil.example", "evil.example:8600", "127.0.0.1.evil.example"):
        turned_away = client.get(address, headers={"host": host})
        assert turned_away.status_code == 400 and "mill" not in turned_away.text
    for verb in ("post", "put", "delete"):
        assert getattr(client, verb)(address).status_code == 405


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/document/nowhere/0", 404),
        ("/document/{part}/9999999", 404),
        ("/document/{part}/-1", 404),
        ("/?state=gone", 404),
        ("/rows?after=x", 404),
        ("/what-if?set=gopher.min_words=x", 400),
        ("/pane/{part}/0?view=nothing", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
    ],
)
def test_a_wrong_address_is_told(client, whole, address, status):
    assert client.get(address.format(part=whole.parts[0])).status_code == status


# In the browser


@pytest.fixture(scope="module")
def address(whole):
    """The explorer as it is served."""
    config = uvicorn.Config(application(whole, Tokenizers(whole.work)), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    with listen(0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def tab(browser, address):
    """A page of its own that must end without a word on the console, a dialog, or a request to anywhere else."""
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.set_default_timeout(20_000)
    heard = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda request: request.url.startswith(address) or heard.append(request.url))
    tab.on("response", lambda response: response.ok or heard.append(f"{response.status} {response.url}"))
    tab.goto(address)
    yield tab
    tab.close()
    assert heard == []


def total(tab, state):
    return int(tab.locator(f"[data-total={state}]").inner_text().replace(",", ""))


def outcome(tab, name):
    return int(tab.locator(f"[data-out={name}]").inner_text().replace(",", ""))


def test_filtering_by_reason_shows_what_the_ledger_counts(tab, whole):
    rows = shards(whole, "ledger")
    assert total(tab, "all") == len(rows) and total(tab, "kept") == rows["kept"].sum()
    tab.get_by_role("link", name="too few sentences", exact=True).click()
    tab.wait_for_url("**reason=c4.too_few_sentences**")
    expected = rows.filter(step="c4", rule="too_few_sentences")
    assert total(tab, "all") == total(tab, "removed") == len(expected) > 40
    while tab.locator("[data-more]").count():
        before = tab.locator("a.row").count()
        tab.locator("[data-more]").scroll_into_view_if_needed()
        tab.wait_for_function("n => document.querySelectorAll('a.row').length > n", arg=before)
    shown_ids = [id.replace("⟨202E⟩", "\u202e") for id in tab.locator("a.row .id").all_inner_texts()]
    assert shown_ids == expected["id"].to_list()
    tab.locator(".tabs").first.get_by_role("link", name="Kept").click()
    tab.wait_for_url("**state=kept**")
    assert tab.locator("a.row").count() == 0 and tab.get_by_text("No document is so.").is_visible()


def test_moving_a_threshold_shows_at_once_what_would_change(tab, whole, tmp_path):
    tab.get_by_role("link", name="Thresholds").click()
    tab.locator(".facets").get_by_role("link", name="too few words").click()
    tab.wait_for_url("**rule=gopher.too_few_words**")
    asked, thresholds = ("gopher.min_words=75",), Thresholds(whole)
    expected = thresholds.what_if(asked)
    tab.locator("#number").fill("75")  # no more than typed: the counts are there while it is typed
    told = "n => document.querySelector('[data-out=newly_removed]').textContent == n"
    tab.wait_for_function(told, arg=str(expected["newly_removed"]))
    assert outcome(tab, "kept") == expected["kept"][1] and outcome(tab, "newly_kept") == expected["newly_kept"]
    assert "set=" not in tab.url
    tab.locator("#number").press("Enter")
    tab.wait_for_url("**set=gopher.min_words%3D75**")
    tab.locator(".changed .row").first.wait_for()
    assert tab.locator(".changed section").first.locator(".row").count() == min(expected["newly_removed"], 6)
    tab.locator("#slider").press("ArrowLeft")
    tab.wait_for_url("**set=gopher.min_words%3D74**")
    box = tab.locator("#slider").bounding_box()
    handle = box["x"] + box["width"] * float(tab.locator("#slider").input_value()) / 1000
    tab.mouse.move(handle, box["y"] + 8)
    tab.mouse.down()
    tab.mouse.move(handle - 250, box["y"] + 8)
    tab.wait_for_function("() => Number(document.getElementById('number').value) < 74")
    dragged = (f"gopher.min_words={tab.locator('#number').input_value()}",)
    tab.wait_for_function(told, arg=str(thresholds.what_if(dragged)["newly_removed"]))
    tab.mouse.up()
    tab.wait_for_url(lambda url: dragged[0].replace("=", "%3D") in url)
    assert outcome(tab, "kept") == thresholds.what_if(dragged)["kept"][1]
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Export as a recipe").click()
    download.value.save_as(tmp_path / "explored.toml")
    assert read_recipe(str(tmp_path / "explored.toml")).steps == thresholds.recipe(dragged).steps
    tab.get_by_role("link", name="Documents").click()
    tab.wait_for_url("**/?set=**")
    assert total(tab, "newly-removed") == thresholds.what_if(dragged)["newly_removed"]


def test_a_document_opens_beside_the_list_and_by_keys(tab, whole):
    row = tab.locator("a.row", has_text="evil-3")
    tab.locator("#search").fill("jane.doe")
    tab.locator("#search").press("Enter")
    tab.wait_for_url("**text=jane.doe**")
    row.first.click()
    tab.locator(".document h1", has_text="evil-3").wait_for()
    assert tab.locator(".document del.pii").inner_text() == "jane.doe@flourmill.org"
    assert "jane.doe" not in tab.locator(".document ins.pii").inner_text()
    words = tab.locator(".measures tr", has_text="word length").first
    assert "\u2265 3" in words.inner_text() and tab.locator(".measures tr.broken").count() == len(
        shards(whole, "ledger").filter(id="evil-3")["reasons"].explode().drop_nulls()
    )
    tab.locator(".document .tabs").get_by_role("link", name="Tokens bpe").click()
    tab.locator(".tokens span").first.wait_for()
    assert "jane.doe" not in tab.locator(".tokens").inner_text()
    tab.keyboard.press("Escape")
    assert tab.locator(".document").count() == 0
    tab.locator(".asked a").click()
    tab.wait_for_url(lambda url: "text" not in url)
    ids = tab.locator("a.row .id").all_inner_texts()
    for key, at in ("j", 0), ("j", 1), ("j", 2), ("k", 1):
        tab.keyboard.press(key)
        tab.wait_for_function("id => document.querySelector('.document h1')?.innerText == id", arg=ids[at])
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "search"


def test_copies_are_compared_word_by_word(tab, whole):
    (copied,) = shards(whole, "ledger").filter(step="near").head(1)["id"]
    tab.goto(f"{tab.url}?text={copied}&reason=near")
    tab.locator("a.row").first.click()
    tab.locator("[data-into]").click()
    tab.locator(".copy").first.wait_for()
    assert tab.locator(".copy ins, .copy del").count() > 0


def test_what_a_document_says_is_shown_and_never_runs(tab):
    for name in ("evil-1", "evil-4"):
        tab.goto(f"{tab.url.partition('?')[0]}?text={name}")
        tab.locator("a.row").first.click()
        tab.locator(".document h1", has_text=name).wait_for()
        tab.wait_for_load_state("networkidle")
    tab.goto(f"{tab.url.partition('?')[0]}?text=evil-1")
    tab.locator("a.row").first.click()
    tab.locator(".document h1", has_text="evil-1").wait_for()
    said = tab.locator(".document").inner_text()
    assert said.count(EVIL) >= 3  # id, source, text, a column
    assert "mill\u2400 grinds \u27e8202E\u27e9evil" in said and "\u202e" not in tab.content()
    assert tab.evaluate("document.scripts.length") == 1 and tab.locator("img, svg:not([viewBox])").count() == 0
    tab.locator(".document .tabs").get_by_role("link", name="Tokens bpe").click()
    tab.locator(".tokens").wait_for()
    assert EVIL.split("{")[0].strip() in tab.locator(".tokens").inner_text()


def test_a_line_of_a_megabyte_is_shown_in_parts(tab):
    tab.goto(f"{tab.url}?text=evil-2")
    tab.locator("a.row").first.click()
    tab.locator(".document .words").wait_for()
    assert len(tab.locator(".document .words").inner_text()) <= 20_000
    tab.locator(".document [data-more]").click()
    tab.locator(".document .words").nth(1).wait_for()
    assert tab.locator(".document .words").nth(1).inner_text() == "x" * 20_000
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_phone_shows_pages_no_wider_than_itself(browser, address, whole):
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    for path in ("/", "/thresholds?set=gopher.min_words=30", f"/document/{whole.parts[0]}/240"):
        tab.goto(address + path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, path
    tab.close()


# The command


def test_the_command_serves_until_it_is_interrupted(works):
    command = [sys.executable, "-m", "flows.cli", "explore", str(works / "rules"), "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        port = re.search(r"http://127.0.0.1:(\d+)", server.stdout.readline())[1]
        with pytest.raises(WorkError, match=r"cannot listen on .*--port 0"):
            listen(int(port))
        with urlopen(f"http://127.0.0.1:{port}/thresholds") as answer:
            assert b"too few words" in answer.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0 and server.stderr.read() == ""
