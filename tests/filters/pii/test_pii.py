"""Personal data: what is found, what is not, and what is written in its place."""

import json
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from reference.pii_windows import at_windows, obfuscated_windows

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii.detect import TYPES, detect
from gristmill.filters.pii.edits import apply_edits
from gristmill.filters.pii.evaluate import pii_detector, read_labeled, score
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.pii.replacements import replacement
from gristmill.filters.pii.scan import scan
from gristmill.filters.pii.window_kinds import AT, OBFUSCATED_AT
from gristmill.flows.cli import group
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

KEY = b"a key for tests only, 32 bytes.."
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"  # in two parts: it is no secret

# type -> what is found whole (between the bars), and what is like it and is left alone
FOUND = {
    "email": (
        ["|jane.doe@mill.org|.", "<|j@x.co.uk|>", "|müller@mühle.de|", "|jane (at) mill (dot) org| or", "|a+b@x.io|,"],
        ["git@github.com:owner/name.git", "npm i @types/node", "user@example.com", "a@b", "x@y.notatld", "@mill.org"],
    ),
    "url_credentials": (["ftp://|bob:h7Gk29x|@mill.org/a"], ["http://mill.org/@bob", "https://user:password@mill.org"]),
    "ip": (
        ["the host |8.8.4.4|", "at |93.184.216.34| port", "addr |2a00:1450:4001:81b::200e|"],
        ["numpy 1.26.4.1", "see section 4.2.1.3", "127.0.0.1", "192.0.2.7", "12:30:45", "999.1.1.1", "v10.2.3.4"],
    ),
    "mac": (["|3c:22:fb:9a:1d:07|", "|3C-22-FB-9A-1D-07|"], ["00:11:22:33:44:55", "12:30:45", "00:00:5e:00:53:01"]),
    "credit_card": (
        ["card |4539 1488 0343 6467|", "|4539148803436467|", "|378282246310005|"],
        ["4539 1488 0343 6468", "ISBN 978-3-16-148410-0", "0000 0000 0000 0000"],
    ),
    "iban": (
        ["to |DE89370400440532013000|", "|GB29 NWBK 6016 1331 9268 19|"],
        ["DE89370400440532013001", "XX89370400440532013000"],
    ),
    "us_ssn": (["SSN |536-22-8726|"], ["SSN 000-22-8726", "SSN 666-22-8726", "SSN 900-22-8726", "536-22-0000"]),
    "cn_id": (["身份证 |11010519491231002X|"], ["11010519491231002Y", "110105194912310021"]),
    "phone": (
        ["call |+1 415 867 5309|", "Tel.: |+49 30 901820|", "phone: |(212) 736-5000|", "手机 |13800138000|"],
        ["1998-2003", "pages 1234567", "$1,234,567.89", "2023-10-11 12:30", "555-0123", "978-3-16-148410-0"],
    ),
    "date_of_birth": (["born |2/15/1998|", "date of birth: |15 February 1998|"], ["released 2/15/1998", "born 1998"]),
    "api_key": (
        ["key |AKIAIOSFODNN7RT4QW2Z|", "|ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8|", f"in\n|{BLOCK}|.",
         "api_key=|aB3dE5fG7hJ9kL1mN3pQ|", "api_key = |aB3dE5fG7hJ9kL1mN3pQ|"],
        ["AKIA", "ghp_x", "sk-learn", BLOCK[:-1], BLOCK.replace("PRIVATE", "PUBLIC"), "an aB3dE5fG7hJ9kL1mN3pQ"],
    ),
    "wallet": (
        ["|1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa|", "|0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed|"],
        ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"],
    ),
}  # fmt: skip
SAYING = [text for found, left in FOUND.values() for text in [*found, *left]]


def spans(text: str, **more):
    rows = Ragged.from_strings([text])
    return [(f.type, rows.data[f.start : f.end].tobytes().decode()) for f in detect(rows, TYPES, **more)]


@pytest.mark.parametrize(("type", "text"), [(type, text) for type, (found, _) in FOUND.items() for text in found])
def test_found_whole(type, text):
    regions = {"regions": ("US",)} if type == "phone" else {}
    assert spans(text.replace("|", ""), **regions) == [(type, text.split("|")[1])]


@pytest.mark.parametrize(("type", "text"), [(type, text) for type, (_, left) in FOUND.items() for text in left])
def test_left_alone(type, text):
    assert type not in [found for found, _ in spans(text)]


V6 = "6e40:4041:c617:e898:c11:40d2:c669:2eb4"


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f"])
@pytest.mark.parametrize(
    "text", ["DE89 3704 0044 0532 0130 00", "FR14 2004 1010 0505 0001 3M02 606", "4242 4242 4242 4242"]
)
def test_groups_are_separated_by_any_space(text, space):
    text = text.replace(" ", space).encode()
    rows = Ragged.from_strings([b"to " + text + space.encode() + b"ok", text[:-1], text[:2] + b"7" + text[3:]])
    assert [(match.row, match.end - match.start) for match in detect(rows, TYPES)] == [(0, len(text))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Last login from |10.207.42.22| (user jane)", "ip"),
        ("Posted by jane@mill.org from |239.35.206.244|", "ip"),
        ("client=|192.168.1.140|", "ip"),
        ("IP: |245.92.140.80|", "ip"),
        ("Host: |172.16.254.1|", "ip"),
        (f"Contact host |10.218.6.131| and |{V6}|", "ip"),
        (f"Last login from |{V6}|", "ip"),
        ("set the gateway to |10.20.30.140|", "private_ip"),
        ("addresses of the host network |10.20.30.140|", "private_ip"),
        (f"the server listens on |{V6}|", "private_ip"),
        ("the client may then be asked to use |10.20.30.140|", "private_ip"),  # five words between
        ("upgraded from 10.2.3.4", None),
        ("login from 127.0.0.1", None),
        ("client 192.0.2.7", None),
    ],
)
def test_an_address_that_is_not_public_counts_after_a_word_for_a_client(text, found):
    rows = Ragged.from_strings([text.replace("|", "")])
    places = [(m.type, rows.data[m.start : m.end].tobytes().decode()) for m in detect(rows, ("ip", "private_ip"))]
    assert places == [(found, value) for value in text.split("|")[1::2]]
    everywhere = [value for type, value in spans(text.replace("|", ""), private_addresses=True) if type == "ip"]
    assert everywhere == text.split("|")[1::2]


def test_addresses_that_the_scope_leaves_are_counted():
    texts = ["use 10.20.30.140 and 10.20.30.141 as the gateway", "gateway 93.184.216.34", "login from 10.20.30.140"]
    for types, scope, left, found in (
        (["ip"], "public", [2, 0, 0], [0, 1, 1]),
        (["ip"], "all", [0, 0, 0], [2, 1, 1]),
        (["email"], "public", [0, 0, 0], [0, 0, 0]),
    ):
        _, measures = PiiFilter(types=types, address_scope=scope).rewrite(Batch(Ragged.from_strings(texts)))
        assert (measures["private_addresses"].to_list(), measures["spans"].to_list()) == (left, found)


texts = st.lists(st.one_of(st.sampled_from(SAYING), st.text(max_size=30), st.text("0123456789.-:@ +a\n", max_size=40)))
documents = st.lists(texts.map(" ".join).map(lambda text: text.replace("|", "")), max_size=4)


def redact(step, texts):
    rows = Ragged.from_strings(texts)
    edits, _ = step.edits(rows)
    return [apply_edits(edits.get(i, []), rows.row(i)) for i in range(rows.rows)]


@cache
def keyed(how):
    folder = Path(tempfile.mkdtemp())
    (folder / "key").write_bytes(KEY)
    return PiiFilter(replacement=how, key_file=str(folder / "key"), phone_regions=["US"])


@pytest.mark.parametrize("how", ["tag", "surrogate", "hash", "mask", "remove"])
@given(texts=documents)
def test_redacting_twice_is_redacting_once(texts, how):
    once = redact(keyed(how), texts)
    assert redact(keyed(how), once) == once


@given(documents)
def test_a_document_is_judged_by_its_own_text(texts):
    step = PiiFilter()
    together = redact(step, texts)
    assert together == [redact(step, [text])[0] for text in texts]
    assert redact(step, texts[::-1]) == together[::-1]


@given(documents)
def test_nothing_but_the_spans_changes(texts):
    rows = Ragged.from_strings(texts)
    table, _ = PiiFilter().rewrite(Batch(rows))
    parts = [[] for _ in texts]
    for span in table.to_pylist():
        parts[span["row"]].append(span)
    for row, (text, after) in enumerate(zip(texts, redact(PiiFilter(), texts), strict=True)):
        data, at, built = text.encode(), 0, b""
        for span in parts[row]:
            built += data[at : span["offset"]] + span["replacement"].encode()
            at = span["offset"] + span["length"]
        assert built + data[at:] == after


def test_the_same_thing_gets_the_same_surrogate_however_it_is_spelt():
    for type, one, other in (
        ("email", "Jane.Doe@Mill.org", "jane.doe@mill.org"),
        ("phone", "+1 415 867 5309", "+1-415-867-5309"),
        ("credit_card", "4539 1488 0343 6467", "4539148803436467"),
        ("iban", "GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819"),
    ):
        made = replacement("surrogate", type, one, KEY)
        assert made == replacement("surrogate", type, other, KEY)
        assert made != replacement("surrogate", type, one, KEY[::-1]) or type == "phone"


parts = st.one_of(
    st.sampled_from([b"@", b"(at)", b"[AT]", b"(at]", b"a.b", b"x" * 130 + b"@a.b", b"x@a.b" + b"y" * 260, b"1.2.3.4"]),
    st.binary(max_size=4),
)


@given(st.lists(st.lists(parts, max_size=9).map(b"".join), max_size=3))
def test_windows_around_at_are_those_of_the_twin(texts):
    rows = Ragged.from_strings(texts)
    windows = scan(rows)
    for kind, twin in ((AT, at_windows), (OBFUSCATED_AT, obfuscated_windows)):
        of = windows.kind == kind
        found = zip(windows.row[of].tolist(), windows.start[of].tolist(), windows.end[of].tolist(), strict=True)
        lows = rows.offsets.tolist()
        assert [*found] == [(i, lows[i] + a, lows[i] + b) for i, text in enumerate(texts) for a, b in twin(text)]


@pytest.mark.parametrize(
    "text", ["1" * 50_000, "@" * 50_000, "1.1.1.1." * 9_000, "a@" * 20_000, "1-" * 20_000, "::" * 9_000]
)
def test_windows_of_adversarial_text_are_bounded(text):
    windows = scan(Ragged.from_strings([text]))
    assert int((windows.end - windows.start).sum()) <= 2 * len(text)


def test_a_document_of_nothing_else_breaks_the_rule():
    rows = Ragged.from_strings(["jane@mill.org " * 40, "One address, jane@mill.org, in a text.", ""])
    _, measures = PiiFilter().rewrite(Batch(rows))
    assert measures["spans"].to_list() == [40, 1, 0]
    assert measures["spans_per_kb"][0] > 10 >= measures["spans_per_kb"][1]


def test_hash_and_surrogate_want_a_key_and_settings_what_there_is(tmp_path):
    for told, part in (
        ({"replacement": "hash"}, "needs key_file"),
        ({"phone_regions": ["XX"]}, "is no country"),
        ({"types": ["shoe_size"]}, "types.0"),
        ({"replacement": "hash", "key_file": str(tmp_path / "none")}, "cannot read the key file"),
    ):
        with pytest.raises(RecipeError, match=part):
            read_settings(PiiFilter, told, "[steps.pii]")


@pytest.mark.parametrize(
    ("told", "types"),
    [
        (["email"], ["email"]),
        (["+person"], [*TYPES, "person"]),
        (["+person", "-phone"], [*(type for type in TYPES if type != "phone"), "person"]),
        (["+email"], [*TYPES]),
        (["-person"], [*TYPES]),
        ([], []),
    ],
)
def test_types_name_all_or_change_the_default(told, types):
    assert read_settings(PiiFilter, {"types": told}, "[steps.pii]").types == types


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (["+person", "email"], "expected a list of types, or changes of the default"),
        (["+shoe_size"], "'shoe_size' is no type; expected one of url_credentials, "),
        (["-"], "'' is no type"),
    ],
)
def test_types_that_are_none_say_so(told, why):
    with pytest.raises(RecipeError, match=why):
        read_settings(PiiFilter, {"types": told}, "[steps.pii]")


def call(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_commands_find_redact_and_keep_values_apart(tmp_path):
    rows = [{"id": str(i), "text": f"Write to jane{i}@mill.org or to nobody at all, please."} for i in range(30)]
    corpus, values, work = tmp_path / "in.jsonl", tmp_path / "values", tmp_path / "work"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "30  in        30 documents  email" in call("pii", "scan", corpus).stdout
    assert "email" not in call("pii", "scan", corpus, "--types", "-email, +person").stdout
    call("pii", "redact", corpus, "--output", work, "--values", values, "--workers", 1)
    assert stat.S_IMODE(os.stat(values).st_mode) == 0o600
    assert {json.loads(line)["value"] for line in values.read_text().splitlines()} == {
        f"jane{i}@mill.org" for i in range(30)
    }
    for path in work.rglob("*"):
        if path.is_file() and "documents" not in path.parts:
            assert b"jane1@mill" not in path.read_bytes(), path
    labeled = tmp_path / "labeled.jsonl"
    labeled.write_text(json.dumps({"text": rows[0]["text"], "pii": [{"start": 9, "end": 23, "type": "EMAIL_ADDRESS"}]}))
    assert "1.0000" in call("pii", "score", labeled).stdout
    with pytest.raises(InputError, match="labels in no row"):
        call("pii", "score", corpus)


def test_labeled_identities_are_found_and_decoys_are_not(shared_data):
    """The bars: precision and recall 0.99, of phones F1 and precision 0.97; all decoys untouched."""
    step = PiiFilter(address_scope="all", phone_regions=["US"])
    for name, lines in (("pii_presidio.jsonl.zst", False), ("messy.jsonl.zst", True)):
        told = score(read_labeled(str(Path(shared_data) / name)), pii_detector(step), TYPES, lines)
        assert told.decoys_hit == 0
        for type, each in told.types.items():
            least = (0.97, 0.97) if type == "phone" else (0.99, 0.99)
            assert each.precision >= least[0] and (each.f1 if type == "phone" else each.recall) >= least[1], (
                type,
                each,
            )


def test_languages_have_the_same_topics():
    import tomllib

    from gristmill.filters.pii.detectors import context

    tables = [tomllib.loads(path.read_text("utf-8")) for path in Path(context.__file__).parent.glob("languages/*.toml")]
    assert len(tables) > 20 and all(table["phone"]["support"] for table in tables)


def test_empty_documents_have_nothing():
    assert detect(Ragged.from_strings(["", ""]), TYPES) == [] and scan(Ragged.from_strings([])).row.size == 0
    assert np.diff(Ragged.from_strings(redact(PiiFilter(), ["", ""])).offsets).sum() == 0
