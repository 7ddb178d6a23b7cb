"""Added tokens are cut out of text as a plain loop does, with the white space that they take."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.added_tokens import AddedToken, AddedTokens
from tests.reference import added_tokens as plain

flags = st.booleans()
contents = st.text("ab<", min_size=1, max_size=3)
made = st.dictionaries(contents, st.tuples(flags, flags, flags), min_size=1, max_size=5)


def numbers(parts: Ragged, begins: np.ndarray) -> Ragged:
    """Encode each row that is not empty as its code points modulo 256, after 1 if it begins a document."""
    texts = [parts.row(row).decode() for row in range(parts.rows)]
    rows = [
        [1] * bool(begin and text) + [ord(c) & 0xFF for c in text] for text, begin in zip(texts, begins, strict=True)
    ]
    sizes = np.cumsum([0, *map(len, rows)])
    return Ragged.from_arrays(sizes.astype(np.int64), np.array([n for row in rows for n in row], np.uint32))


@given(st.lists(st.text("ab< \u3000\n", max_size=12), max_size=4), made, st.data())
def test_tokens_are_cut_out_as_in_a_plain_loop(texts, made, data):
    tokens = [AddedToken(content, 900 + i, *flags) for i, (content, flags) in enumerate(made.items())]
    allowed = data.draw(st.sets(st.sampled_from([token.content for token in tokens])))
    finder = AddedTokens(tokens, [token.content.encode() for token in tokens], frozenset(allowed))
    if all(token.special for token in tokens):  # then those that are not allowed hide no others
        tokens = [token for token in tokens if token.content in allowed]
    rows = Ragged.from_strings(texts)
    ids = finder.encode_between(numbers, rows, np.ones(rows.rows, np.bool_)) if finder else None
    for row, text in enumerate(texts):
        expected = []
        for place, part in enumerate(plain.parts(text, tokens, allowed)):
            one = [part] if isinstance(part, int) else [ord(c) & 0xFF for c in part]
            expected += ([1] if place == 0 and isinstance(part, str) else []) + one
        found = expected if ids is None else ids.data[ids.offsets[row] : ids.offsets[row + 1]].tolist()
        assert found == expected
