"""The explorer in a real browser: its counts are the ledger's, and nothing a document says runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.loopback import listen
from gristmill.pipelines.errors import WorkError

REPOSITORY = Path(__file__).resolve().parents[3]


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
    tab.goto(f"{address}/documents")
    yield tab
    tab.close()
    assert heard == []


def total(tab, state):
    return int(tab.locator(f"[data-total={state}]").inner_text().replace(",", ""))


def outcome(tab, name):
    return int(tab.locator(f"[data-out={name}]").inner_text().replace(",", ""))


def test_filtering_by_reason_shows_what_the_ledger_counts(tab, whole, shards):
    rows = shards("ledger")
    assert total(tab, "all") == len(rows) and total(tab, "kept") == rows["kept"].sum()
    tab.get_by_role("link", name="sentences too low", exact=True).click()
    tab.wait_for_url("**reason=c4.sentences_too_low**")
    expected = rows.filter(step="c4", rule="sentences_too_low")
    assert total(tab, "all") == total(tab, "removed") == len(expected) > 40
    while tab.locator("[data-more]").count():
        before = tab.locator("a.row").count()
        tab.locator("[data-more]").scroll_into_view_if_needed()
        tab.wait_for_function("n => document.querySelectorAll('a.row').length > n", arg=before)
    shown_ids = [id.replace("⟨202E⟩", "\u202e") for id in tab.locator("a.row .id").all_inner_texts()]
    assert shown_ids == expected["id"].to_list()
    tab.locator(".tabs").first.get_by_role("link", name="Kept").click()
    tab.wait_for_url("**state=kept**")
    assert tab.locator("a.row").count() == 0 and tab.get_by_text("No document matches.").is_visible()


def test_moving_a_threshold_shows_at_once_what_would_change(tab, whole, tmp_path):
    tab.get_by_role("link", name="Thresholds").click()
    tab.locator(".facets").get_by_role("link", name=re.compile("^words too low")).click()
    tab.wait_for_url("**rule=gopher.words_too_low**")
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
    tab.wait_for_url("**/documents?set=**")
    assert total(tab, "newly-removed") == thresholds.what_if(dragged)["newly_removed"]


def test_a_document_opens_beside_the_list_and_by_keys(tab, whole, shards):
    row = tab.locator("a.row", has_text="evil-3")
    tab.locator("#search").fill("jane.doe")
    tab.locator("#search").press("Enter")
    tab.wait_for_url("**text=jane.doe**")
    row.first.click()
    tab.locator(".document h1", has_text="evil-3").wait_for()
    assert tab.locator(".document del.pii").inner_text() == "••••.•••@•••••••••.•••"
    tab.locator(".switch").press("Space")
    tab.wait_for_url("**addresses=shown**")
    tab.locator(".document h1", has_text="evil-3").wait_for()  # the same page, the document open
    assert tab.locator(".document del.pii").inner_text() == "jane.doe@flourmill.org"
    tab.locator(".switch").click()
    tab.wait_for_url(lambda url: "addresses" not in url)
    assert "jane.doe" not in tab.locator(".document ins.pii").inner_text()
    words = tab.locator(".measures tr", has_text="word length").first
    assert "\u2265 3" in words.inner_text() and tab.locator(".measures tr.broken").count() == len(
        shards("ledger").filter(id="evil-3")["violations"].explode().drop_nulls()
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


def test_copies_are_compared_word_by_word(tab, whole, shards):
    (copied,) = shards("ledger").filter(step="near_duplicates").head(1)["id"]
    tab.goto(f"{tab.url}?text={copied}&reason=near_duplicates")
    tab.locator("a.row").first.click()
    tab.locator("[data-into]").click()
    tab.locator(".copy").first.wait_for()
    assert tab.locator(".copy ins, .copy del").count() > 0


def test_what_a_document_says_is_shown_and_never_runs(tab, evil):
    for name in ("evil-1", "evil-4"):
        tab.goto(f"{tab.url.partition('?')[0]}?text={name}")
        tab.locator("a.row").first.click()
        tab.locator(".document h1", has_text=name).wait_for()
        tab.wait_for_load_state("networkidle")
    tab.goto(f"{tab.url.partition('?')[0]}?text=evil-1")
    tab.locator("a.row").first.click()
    tab.locator(".document h1", has_text="evil-1").wait_for()
    said = tab.locator(".document").inner_text()
    assert said.count(evil) >= 3  # id, source, text, a column
    assert "mill\u2400 grinds \u27e8202E\u27e9evil" in said and "\u202e" not in tab.content()
    assert tab.evaluate("document.scripts.length") == 1 and tab.locator("img, svg:not([viewBox])").count() == 0
    tab.locator(".document .tabs").get_by_role("link", name="Tokens bpe").click()
    tab.locator(".tokens").wait_for()
    assert evil.split("{")[0].strip() in tab.locator(".tokens").inner_text()


def test_a_line_of_a_megabyte_is_shown_in_parts(tab):
    tab.goto(f"{tab.url}?text=evil-2")
    tab.locator("a.row").first.click()
    tab.locator(".document .words").wait_for()
    assert len(tab.locator(".document .words").inner_text()) <= 20_000
    tab.locator(".document [data-more]").click()
    tab.locator(".document .words").nth(1).wait_for()
    assert tab.locator(".document .words").nth(1).inner_text() == "x" * 20_000
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


# The command


def test_the_command_serves_until_it_is_interrupted(works):
    command = [sys.executable, "-m", "gristmill", "explore", str(works / "rules"), "--port", "0"]
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        port, token = re.search(r"http://127.0.0.1:(\d+)/\?token=(\S+)", server.stdout.readline()).groups()
        with pytest.raises(WorkError, match=r"cannot listen on .*--port 0"):
            listen(int(port))
        with pytest.raises(HTTPError, match="403"):
            urlopen(f"http://127.0.0.1:{port}/thresholds")
        browser = build_opener(HTTPCookieProcessor())
        with browser.open(f"http://127.0.0.1:{port}/?token={token}") as answer:
            assert b"Funnel" in answer.read() and "token" not in answer.url
        with browser.open(f"http://127.0.0.1:{port}/thresholds") as answer:
            assert b"words too low" in answer.read()
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0 and server.stderr.read() == ""
