"""Bits of the rules that a token may satisfy: no rule whose bit is missing finds anything."""

import os

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.pii import detect, possible_rules, scan
from gristmill.filters.pii.detectors import birth_dates, context, crypto, national_ids, network, payment, secrets
from gristmill.filters.pii.detectors.window import Window
from gristmill.filters.pii.window_kinds import DATE, TOKEN
from gristmill.pipelines.ragged import Ragged

IBANS = st.one_of(
    st.from_regex(f"{country}\\d\\d{shape.pattern}", fullmatch=True) for country, shape in payment.ACCOUNTS.items()
).map(str.encode)
SHAPES = (secrets.KNOWN, crypto.ETHER, crypto.BASE58, crypto.SEGWIT, network.MAC, national_ids.RESIDENT)
NATIONAL = tuple(number.shape for number in national_ids.NUMBERS)
SECRETS = st.from_regex(r"[A-Za-z0-9_-]{15,60}", fullmatch=True).map(str.encode)
VALUES = st.one_of(IBANS, SECRETS, *(st.from_regex(shape, fullmatch=True) for shape in (*SHAPES, *NATIONAL)))
AROUND = (
    *(b"", b" ", b"\n", b"-", b"_", b"x", b".", "é".encode(), b'api_key = "', b"token: ", b"Bearer ", b"pwd=>a/b.c+"),
)
DOCUMENTS = st.lists(st.tuples(st.sampled_from(AROUND), VALUES, st.sampled_from(AROUND)).map(b"".join), max_size=3).map(
    b" ".join
)


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
@example([b"0x52908400098527886E0F7030069857D2E4169EE7", b"key-0123456789abcdef0123456789abcdef"])
@example([b"x" * 20, b"0123456789abcdef0123456789abcdef-us12", b"SG.0123456789abcdef-_.0123456789abcdef", b"=" * 47])
@example([b"password" + b" " * 39 + b"=" + b" aB3" + b"/x" * 18 + b"Q7zw0LkPq93Xv1-t"])
def test_a_rule_without_its_bit_finds_nothing(documents):
    text = Ragged.from_strings(documents)
    windows = scan.scan(text)
    possible = possible_rules.possible_rules(text, windows, [""] * text.rows)
    assert (possible[~np.isin(windows.kind, (TOKEN, DATE))] == possible_rules.ANY).all()
    for kind, start, end, row, bits in zip(*(column.tolist() for column in windows), possible.tolist(), strict=True):
        for rule, _ in detect.RULES[kind]:
            if not bits & possible_rules.BIT_OF.get(rule, possible_rules.ANY):
                assert not [*rule(Window(text.data.tobytes(), start, end, *text.offsets[row : row + 2].tolist()))]


TERMS = sorted(
    {term for file in context.languages().values() for lists in file.get("birth", {}).values() for term in lists}
)
NEAR = st.one_of(
    *(st.sampled_from(TERMS).map(form) for form in (str, str.upper, str.title)),
    st.sampled_from(["", " ", "\n", ": ", "bornOn", "dateBorn ", "x_dob", "é", "the year ", "a" * 50, "ext 12 "]),
)
DATES = st.sampled_from(["2/15/1998", "1998-02-15", "15 February 1998", "Feb 15, 1998", "1998年2月15日", "1.1.1970"])


@given(st.lists(st.one_of(NEAR, DATES), max_size=8).map("".join), st.sampled_from(["en", "de", "fr", "zh", ""]))
@example("dob:\n1998-02-15", "en")
@example("1998-02-15 born", "en")
@example("BORN 1998-02-15", "en")
@example("dateBorn 1998-02-15", "en")
@example("né 1998-02-15", "fr")
@example("ébo\u212arn geboren\u2019 1998-02-15", "de")
def test_a_date_without_its_bit_is_no_date_of_birth(text, language):
    rows = Ragged.from_strings([text, "born "])
    windows = scan.scan(rows)
    for kind, start, end, row, bits in zip(
        *(column.tolist() for column in windows),
        possible_rules.possible_rules(rows, windows, [language, ""]).tolist(),
        strict=True,
    ):
        if kind == DATE and not bits:
            window = Window(rows.data.tobytes(), start, end, *rows.offsets[row : row + 2].tolist(), language)
            assert not [*birth_dates.birth_dates(window)]


def test_most_dates_have_no_rule():
    texts = ["It was on 15 February 1998 that the mill burnt.", "She was born on 15 February 1998."]
    texts += ["published in Zürich since 15 February 1998", "née le 2/15/1998", "born bei \xff 15 February 1998"]
    rows, languages = Ragged.from_strings(list(map(os.fsencode, texts))), ["en", "en", "de", "fr", "de"]
    possible = possible_rules.possible_rules(rows, scan.scan(rows), languages)
    assert possible.astype(bool).tolist() == [False, True, False, True, True]


@given(st.from_regex(secrets.KNOWN, fullmatch=True))
def test_known_keys_begin_with_two_bytes_of_the_table(key):
    assert key[:2] in secrets.STARTS or key.startswith(secrets.DOTTED) or key[32:33] == b"-"


@given(st.from_regex(crypto.SEGWIT, fullmatch=True))
def test_segwit_addresses_begin_with_a_known_head(address):
    assert address[:2].upper() in crypto.SEGWIT_HEADS


def test_most_tokens_have_no_rule():
    text = Ragged.from_strings(
        ["message-2024-03-17-part-two of_the_build_17_results", "v1.2.3-rc4-build-20240317-linux"]
    )
    windows = scan.scan(text)
    assert TOKEN in windows.kind
    assert not possible_rules.possible_rules(text, windows, [""] * text.rows)[windows.kind == TOKEN].any()
