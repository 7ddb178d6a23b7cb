"""What the explorer knows of a run and answers: its counts are the ledger's, and nothing a document says runs."""

import re
import tomllib
import unicodedata
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest
from corpora import write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from gristmill.flows.clean.recipe import FILTERS, parse_recipe, read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.escape import JOINERS, marked
from gristmill.flows.explorer import document as documents_of
from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.pages import number
from gristmill.flows.explorer.query import Query, find_page
from gristmill.flows.explorer.thresholds import Thresholds, adjustable
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.storage.files import to_path


@pytest.fixture(scope="module")
def client(whole):
    return TestClient(application(whole, Tokenizers(whole.folder)), base_url="http://127.0.0.1")


# What is known of the run


def test_the_index_counts_what_the_ledger_says(whole, shards):
    rows = shards("ledger")
    assert whole.documents == len(rows) and whole.kept.tolist() == rows["kept"].to_list()
    first = [".".join(whole.rules[code]) if code >= 0 else None for code in whole.first]
    assert first == rows.select(pl.concat_str("step", "rule", separator=".")).to_series().to_list()
    for (step, rule), places in whole.broken.items():
        broke = [
            {"step": step, "rule": rule} in ({k: r[k] for k in ("step", "rule")} for r in row)
            for row in rows["violations"]
        ]
        assert places.tolist() == np.flatnonzero(broke).tolist()
    assert [whole.source.names[code] for code in whole.source.codes] == rows["source"].to_list()
    assert whole.bytes.sum() == rows["bytes"].sum()


def test_a_run_without_a_recipe_or_a_ledger_says_so(tmp_path, works):
    with pytest.raises(WorkError, match="missing or unfinished"):
        RunIndex(to_path(tmp_path))


@pytest.mark.parametrize("steps", ["", "[steps.exact]"])
@pytest.mark.parametrize("rows", [[], [{"id": "a", "text": "One."}, {"id": "b", "text": "One."}]])
def test_a_run_without_rules_or_documents_is_shown_too(tmp_path, steps, rows):
    (tmp_path / "recipe.toml").write_text(f"input = {{ max_reject_fraction = 1.0 }}\n{steps}")  # an empty file is one
    write_jsonl(tmp_path / "raw.jsonl", rows)
    clean(read_recipe(str(tmp_path / "recipe.toml"), paths=(str(tmp_path / "raw.jsonl"),)), to_path(tmp_path / "work"))
    index = RunIndex(to_path(tmp_path / "work"))
    client = TestClient(application(index, Tokenizers(index.folder)), base_url="http://localhost")
    assert f'data-total="all">{len(rows)}<' in client.get("/").text
    assert "No step of this run has an adjustable threshold" in client.get("/thresholds").text
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
    _, told = what_if(rules.folder, changes)
    assert outcome["kept"][1] == told["clean"] and outcome["clean_bytes"][1] == told["bytes_clean"]
    (tmp_path / "explored.toml").write_text(recipe_toml(thresholds.recipe(changes), changes))
    clean(read_recipe(str(tmp_path / "explored.toml")), to_path(tmp_path / "work"))
    again = RunIndex(to_path(tmp_path / "work"))
    assert thresholds.moved(changes).after.tolist() == again.kept.tolist() != rules.kept.tolist()
    assert outcome["newly_removed"] == int((rules.kept & ~again.kept).sum())
    assert outcome["newly_kept"] == int((again.kept & ~rules.kept).sum())
    for name, (_, broken) in outcome["violations"].items():
        assert broken == len(again.broken.get(tuple(name.split(".")), ()))


def test_steps_over_the_corpus_are_counted_as_they_stand(whole):
    thresholds = Thresholds(whole)
    after = thresholds.moved(("gopher.min_words=1",)).after
    (exact,) = (places for rule, places in whole.broken.items() if rule == ("exact", "exact_duplicate"))
    assert exact.size and not after[exact].any()


def test_every_setting_that_is_compared_can_be_moved():
    for name, kind in FILTERS.items():
        step = kind.model_construct(model="none is read")
        for threshold in adjustable({name: step}).values():
            moved = step.model_copy(update={threshold.setting: 7})
            assert (
                moved.rules()[threshold.rule].threshold == 7 or 7 in moved.rules()[threshold.rule].thresholds.values()
            )
    assert len(adjustable({"gopher": FILTERS["gopher"]()})) == 12
    assert "perplexity.percentile_too_low" not in adjustable({"perplexity": FILTERS["perplexity"]()})
    chosen = FILTERS["classifier"].model_construct(model="none is read", min_score="auto")
    assert "classifier.score_too_low" in adjustable({"classifier": chosen})


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


# Finding documents


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


def test_the_text_as_written_is_the_clean_one(whole, shards):
    by_id, rewrote = dict(shards("clean").select("id", "text").iter_rows()), 0
    for place_ in np.flatnonzero(whole.kept).tolist()[::4]:
        (unit,) = whole.units(np.array([place_]))
        found = documents_of.read_document(whole, unit.part, int(unit.rows[0]))
        pieces = documents_of.changes(found.text, found.spans)
        assert documents_of.clean_text(pieces) == by_id[found.history["id"]]
        rewrote += len(pieces) > 1
    assert rewrote > 5


def test_tokens_spell_the_text(whole):
    text = "The mill \u5b57\u5b57 \U0001f33e grinds.\n\x00 e\u0301"
    tokens = Tokenizers(whole.folder).tokens("bpe", text)
    assert "".join(token.text for token in tokens) == text and max(map(len, (token.ids for token in tokens))) > 1
    with pytest.raises(WorkError, match="found bpe"):
        Tokenizers(whole.folder).tokens("wordpiece", text)


def controls(text):
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return {character for character in text if unicodedata.category(character) in hidden} - {*"\n\t", *JOINERS}


@given(st.text())
def test_shown_text_cannot_leave_its_place(text):
    html = str(marked(text))
    assert not controls(html)
    rest = re.sub('<i class="control" title="U\\+[0-9A-F]{4,6}">[^<>"\']*</i>', "", html)
    assert not {*rest} & {*"<>\"'"}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "off"), (50, "50"), (1234567.0, "1,234,567"), (0.26012, "0.2601"), (1234.5, "1234")]
)
def test_numbers_read_well(value, text):
    assert number(value) == text


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
    "/thresholds?rule=gopher.words_too_low&profile=de&set=gopher.min_words=30",
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
        assert turned_away.status_code == 403 and "mill" not in turned_away.text
    for origin in ("http://evil.example", "http://localhost:8600", "null"):
        turned_away = client.get(address, headers={"origin": origin})
        assert turned_away.status_code == 403 and "mill" not in turned_away.text
    for verb in ("post", "put", "delete"):
        assert getattr(client, verb)(address).status_code == 405


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/document/nowhere/0", 404),
        ("/document/{part}/9999999", 404),
        ("/document/{part}/-1", 400),
        ("/?state=gone", 400),
        ("/rows?after=x", 400),
        ("/what-if?set=gopher.min_words=x", 400),
        ("/pane/{part}/0?view=nothing", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
    ],
)
def test_a_wrong_address_is_told(client, whole, address, status):
    assert client.get(address.format(part=whole.parts[0])).status_code == status


ODD = ["", "nan", "inf", "-inf", "1e400", "0x10", "1_0", "٣", str(2**70), "9" * 5_000, "\0", "<b>"]
PLACES = ["/document/{}/{}", "/pane/{}/{}", "/text/{}/{}", "/copies/{}/{}"]
LISTS = ["/", "/rows", "/thresholds", "/changed", "/what-if", "/recipe.toml"]


def answered(client, address, **asked):
    answer = client.get(address, **asked)
    assert answer.status_code in (200, 400, 404), address[:200]
    assert answer.status_code == 200 or (not controls(answer.text) and len(answer.text) < 3_000)
    return answer.status_code


@pytest.mark.parametrize("odd", [*ODD, "-1", "1e9", "1.5", " 1"], ids=lambda odd: repr(odd[:9]))
def test_odd_numbers_of_rows_and_positions_are_mistakes(client, whole, odd):
    part, value = whole.parts[0], quote(odd, safe="")
    asked = [f"/rows?after={value}", f"/text/{part}/0?from={value}", f"/pane/{part}/0?from={value}"]
    asked += [place.format(part, value) for place in PLACES if odd]
    assert {answered(client, address) for address in asked} == {400}
    assert {answered(client, place.format(value, 0)) for place in PLACES} == {404}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd[:9]))
@pytest.mark.parametrize("limit", ["gopher.min_words", "gopher.profiles.de.min_words", "fineweb.max_list_ratio"])
def test_odd_numbers_of_thresholds_are_mistakes(client, whole, limit, odd):
    places = [place.format(whole.parts[0], 0) for place in PLACES]
    asked = {"set": [f"{limit}={odd}", "gopher.max_words=9"]}
    assert {answered(client, address, params=asked) for address in LISTS + places} == {400}


@pytest.mark.parametrize("value", ["0", "-1", str(2**53 - 1), "1e9", "-1e15"])
def test_extreme_thresholds_are_answered(client, whole, value):
    asked = {"set": [f"gopher.min_words={value}", f"gopher.profiles.de.max_words={value}"]}
    for address in [*LISTS, *(place.format(whole.parts[0], 0) for place in PLACES)]:
        answered(client, address, params=asked)


NAMES = ["reason", "violates", "source", "language", "text", "state", "rule", "profile", "view", "after", "from", "x"]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_parameter_is_an_error_of_the_server(client, whole, name):
    for address in [*LISTS, *(place.format(whole.parts[0], 0) for place in PLACES)]:
        for odd in ("", "\0", "٣", "\x1b[31m\u202e", "(\\%'&=", "x" * 5_000):
            answered(client, address, params={name: odd})
        assert answered(client, f"{address}?{name}=a&{name}=b") == 400
