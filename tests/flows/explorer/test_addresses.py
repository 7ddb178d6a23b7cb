"""The explorer answers every address: a page, or what is wrong with the address."""

from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.tokens import Tokenizers
from tests.flows.explorer.conftest import controls


@pytest.fixture(scope="module")
def client(whole):
    return TestClient(application(whole, Tokenizers(whole.folder)), base_url="http://127.0.0.1")


EVERY_PAGE = [
    "/",
    "/?set=gopher.min_words=30&addresses=shown",
    "/documents",
    "/documents?at={part}/3&view=clean",
    "/sql",
    "/sql?q=select+id,+violations+from+ledger+limit+3",
    "/find?id=evil-3",
    "/documents?state=removed&reason=gopher&text=mill",
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
        ("/documents?state=gone", 400),
        ("/?addresses=all", 400),
        ("/documents?at={part}", 400),
        ("/documents?at=nowhere/3", 404),
        ("/find?id=nobody", 404),
        ("/sql?q=drop+table+ledger", 400),
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
LISTS = ["/", "/documents", "/sql", "/rows", "/thresholds", "/changed", "/what-if", "/recipe.toml"]


def answered(client, address, **asked):
    answer = client.get(address, **asked)
    assert answer.status_code in (200, 400, 404), address[:200]
    most = 20_000 if address.startswith("/sql") else 3_000  # that page keeps the query
    assert answer.status_code == 200 or (not controls(answer.text) and len(answer.text) < most)
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


NAMES = ["reason", "violates", "source", "language", "text", "state", "rule"]
NAMES += ["profile", "view", "after", "from", "x", "at", "q", "id"]


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_a_parameter_is_an_error_of_the_server(client, whole, name):
    for address in [*LISTS, *(place.format(whole.parts[0], 0) for place in PLACES)]:
        for odd in ("", "\0", "٣", "\x1b[31m\u202e", "(\\%'&=", "x" * 5_000):
            answered(client, address, params={name: odd})
        assert answered(client, f"{address}?{name}=a&{name}=b") == 400
