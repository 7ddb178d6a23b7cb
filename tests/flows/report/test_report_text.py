"""Text of documents in the report: it runs nothing, is cut, and holds no personal data."""

import pytest

from gristmill.flows.report import ledger
from gristmill.flows.report.samples import CHARACTERS, LINES, excerpt, without_personal
from tests.flows.report.conftest import PROSE, run, written

RTL = "\u202e\u200f\u2066"
ATTACKS = {
    "script": "<script>window.hacked = 1; console.log('hacked'); fetch('http://127.0.0.1:9/')</script>",
    "handler": "<img src=x onerror='window.hacked = 1'><svg onload=window.hacked=1><body onpointermove=alert(1)>",
    "closing": "</pre></details></style></title></textarea></script>--><script>window.hacked = 1</script>",
    "template": "{{ 7 * 7 }} {% for x in y %} {{ config }} ${7 * 7} #{1}",
    "marks": f"left {RTL} right\x00 zero \x1b[31m red \x07 bell",
    "entity": "&lt;b&gt; &amp;amp; &#60;script&#62; <!-- a comment",
}


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


def test_personal_data_and_places_stay_out_of_it(tmp_path):
    rows = [{"id": str(k), "text": f"{PROSE * 2}Write to ada{k}@mill.org or 10{k}."} for k in range(6)]
    rows += [{"id": "short", "text": "ada@mill.org"}]
    page = written(run(tmp_path, rows)).read_text()
    assert "@mill.org" not in page and "&lt;EMAIL&gt;" in page
    assert str(tmp_path) not in page and "raw.jsonl" in page


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
