"""Pages of the explorer on a phone and on a desk, light and dark; links that give the same page again."""

import numpy as np
import pytest

from gristmill.flows.explorer import sql
from tests.browsing import CLIPPED

PAGES = [
    "/?set=gopher.min_words=30",
    "/documents?state=removed",
    "/documents?at={part}/3",
    "/document/{part}/240",
    "/thresholds?rule=gopher.words_too_low&set=gopher.min_words=30",
    "/sql",
    "/sql?q=select id, step, rule, value, threshold, duplicate_of from ledger where not kept",
    "/sql?q=drop table ledger",
]
INK = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = luminance(getComputedStyle(document.documentElement).backgroundColor);
    const inks = [...document.querySelectorAll("h1, p, a, th, td, dt, dd, .state, .switch")]
        .filter((element) => element.checkVisibility() && element.textContent.trim())
        .map((element) => luminance(getComputedStyle(element).color));
    return Math.min(...inks.map((ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)));
}"""


@pytest.fixture
def view(browser, address, whole):
    """Open a page at a width and in a scheme; it asks nothing of any other host."""
    contexts, heard = [], []

    def open(path, width=1440, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.on("request", lambda request: request.url.startswith(address) or heard.append(request.url))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        tab.goto(address + path.format(part=whole.parts[0]))
        tab.wait_for_load_state("networkidle")
        return tab

    yield open
    for context in contexts:
        context.close()
    assert heard == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_fits_its_window_and_is_readable(view, width, scheme):
    for path in PAGES:
        tab = view(path, width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") == width, path
        assert [word for word in tab.evaluate(CLIPPED) if not word.endswith("(ellipsis)")] == [], path
        assert tab.evaluate(INK) >= 4.5, path


def test_the_overview_counts_what_the_ledger_says(view, shards):
    rows = shards("ledger")
    tab = view("/")
    funnel = tab.eval_on_selector_all(
        ".funnel tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    removed = dict(rows.drop_nulls("step").group_by("step").len().iter_rows())
    assert {name: int(gone.replace("−", "")) for name, gone, *_ in funnel[1:-1]} == {
        name: removed.get(name, 0) for name, *_ in funnel[1:-1]
    }
    assert (int(funnel[0][3]), int(funnel[-1][3])) == (len(rows), rows["kept"].sum())
    sources = tab.eval_on_selector_all(
        "[aria-labelledby=of-source] tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    kept = {(group.height, group["kept"].sum()) for _, group in rows.group_by("source")}
    assert {(int(read), int(stay)) for _, read, stay, *_ in sources} == kept
    tab.locator(".funnel").get_by_role("link", name="gopher").click()
    tab.wait_for_url("**reason=gopher**")
    assert tab.locator("[data-total=all]").inner_text() == str(removed["gopher"])


def test_each_document_has_a_badge(view, whole):
    tab = view("/documents")
    badges = tab.locator(".row .state").all_inner_texts()
    kept = whole.kept[: len(badges)]
    assert badges == np.where(kept, "kept", "removed").tolist() and len({*badges}) == 2
    for state, word in ("kept", "kept"), ("removed", "removed"):
        tab = view(f"/documents?state={state}")
        tab.locator("a.row").first.click()
        tab.locator(".document .verdict").wait_for()
        assert tab.locator(".document .verdict .state").inner_text() == word


def test_a_link_gives_the_page_again(view, whole, address):
    first = view("/documents?state=removed&set=gopher.min_words=75&addresses=shown")
    first.locator("a.row").nth(2).click()
    first.locator(".document h1").wait_for()
    first.locator(".document .tabs").get_by_role("link", name="Clean").click()
    first.wait_for_url("**view=clean**")
    again = view(first.url.removeprefix(address))
    for part in ("header.top", ".list", "#pane h1", "#pane .text"):
        first.locator(part).first.wait_for()
        assert again.locator(part).first.inner_text() == first.locator(part).first.inner_text(), part
    phone = view(first.url.removeprefix(address), 390)
    assert phone.locator("#pane h1").is_visible() and not phone.locator(".list").is_visible()
    first.keyboard.press("Escape")
    assert "at=" not in first.url and "view=" not in first.url


def test_a_query_is_written_and_run_with_the_keyboard(view, shards):
    tab = view("/sql")
    tab.keyboard.press("Tab")
    tab.locator("#sql").focus()
    tab.keyboard.type("select id from ledger where id = 'evil-3'")
    tab.keyboard.press("Control+Enter")
    tab.locator(".answer td a").wait_for()
    assert "q=select" in tab.url
    tab.locator(".answer td a").press("Enter")
    tab.locator(".document h1", has_text="evil-3").wait_for()


def test_a_refused_query_is_one_line_and_the_explorer_goes_on(view, monkeypatch):
    monkeypatch.setattr(sql, "MEMORY", 1 << 30)  # to fill the memory of a user takes 20 CPU s
    tab = view("/sql?q=select * from read_csv('/etc/passwd')")
    assert tab.get_by_role("alert").inner_text() == "read_csv could read another file"
    assert tab.locator("#sql").input_value() == "select * from read_csv('/etc/passwd')"
    tab.locator("#sql").fill("select lpad(id, 2000000000, 'x') from ledger")
    tab.get_by_role("button", name="Run").click()
    tab.get_by_role("alert").get_by_text("1 GB of memory").wait_for()
    tab.get_by_role("link", name="Overview").click()
    tab.get_by_role("heading", name="Funnel").wait_for()
