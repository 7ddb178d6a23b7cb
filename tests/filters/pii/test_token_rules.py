"""Bits of the rules that a token may satisfy: no rule whose bit is missing finds anything."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.pii import detect, scan, token_rules
from gristmill.filters.pii.detectors import crypto, national_ids, network, payment, secrets
from gristmill.filters.pii.detectors.window import Window
from gristmill.filters.pii.window_kinds import TOKEN
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
    possible = token_rules.possible_rules(text.data, text.offsets[windows.row], windows)
    assert np.array_equal(possible[windows.kind != TOKEN], np.full((windows.kind != TOKEN).sum(), token_rules.ANY))
    for kind, start, end, row, bits in zip(*(column.tolist() for column in windows), possible.tolist(), strict=True):
        for rule, _ in detect.RULES[kind]:
            if not bits & token_rules.BIT_OF.get(rule, token_rules.ANY):
                assert not [*rule(Window(text.data.tobytes(), start, end, *text.offsets[row : row + 2].tolist()))]


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
    assert not token_rules.possible_rules(text.data, text.offsets[windows.row], windows)[windows.kind == TOKEN].any()
