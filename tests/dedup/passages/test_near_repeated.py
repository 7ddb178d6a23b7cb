from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup.exact.normalize import normalized
from gristmill.dedup.near import candidates
from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.verify import ShingleSets
from gristmill.dedup.passages import near_repeated
from gristmill.dedup.passages.near_repeated import NearSettings, count_letters
from gristmill.dedup.passages.repeated import RepeatedPassages
from gristmill.dedup.passages.split import cut_passages
from gristmill.pipelines.ragged import Ragged
from tests.dedup.passages.test_repeated import cut
from tests.reference import near_passages as reference
from tests.reference.normalize import normalize
from tests.reference.passages import passages
from tests.reference.shingles import is_letter

odd = st.sampled_from([*"ab.! \t\r_1", "\u2028", "\u3000", "漢", "é", "İ", "ς", "Σ", "\u0301", "🙂", "\0"])
anything = st.one_of(st.text(max_size=20), st.lists(odd, max_size=20).map("".join))

words = st.sampled_from(["the", "The", "miller", "grinds", "grain", "all", "day", "漢字", "and", "12", "13"])
lines = st.lists(words, max_size=7).map(" ".join)
documents = st.lists(st.lists(lines, max_size=5).map("\n".join), max_size=6)


@settings(max_examples=20)
@given(documents, st.integers(1, 3), st.sampled_from([64, 1 << 20]), st.sampled_from([0.5, 0.75, 0.9, 1.0]))
def test_what_stays_is_what_stays_one_by_one(tmp_path_factory, texts, shards, row_bytes, near):
    repeats = RepeatedPassages(min_bytes=0, memory_mb=64, near_threshold=near, near_shingle_size=3, near_min_letters=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "BAND_ROW_BYTES", row_bytes)  # as if memory held few rows: many partitions
        patch.setattr(near_repeated, "RECALL", 1 - 1e-12)  # else a pair in 200 at the threshold may not meet
        left, counts, found = cut(tmp_path_factory.mktemp("near"), texts, repeats, shards)
    stay = reference.kept(texts, "line", near, 3, 8)
    assert [passages(text, "line") for text in left] == stay
    assert counts["passages_left"].to_list() == [len(passages) for passages in stay]
    for id, offset, length, keeper, similarity in found.iter_rows():
        gone = reference.characters(texts[int(id)].encode()[offset:][:length].decode(), 3)
        alike = [reference.jaccard(gone, reference.characters(passage, 3)) for passage in stay[int(keeper)]]
        assert similarity >= near and similarity in alike
    assert len(found) == sum(len(passages(text, "line")) for text in texts) - sum(map(len, stay))


@given(st.lists(anything, max_size=4), st.integers(1, 6))
def test_sets_and_letters_are_those_of_the_reference(texts, size):
    text = Ragged.from_strings(texts)
    found = cut_passages(text, "line")
    each = [text.data[a:b].tobytes().decode() for a, b in zip(found.start, found.end, strict=True)]
    slow = [reference.characters(passage, size) for passage in each]
    offsets, data = normalized(found.start, found.end, text.data)
    assert [Ragged(offsets, data).row(i) for i in range(len(each))] == [normalize(p.encode(), False) for p in each]
    counts = count_letters(found.start, found.end, text.data, letters())
    assert counts.tolist() == [sum(map(is_letter, passage)) for passage in each]
    sets = NearSettings(0.9, size, 1).sets(text, found.start, found.end)
    fast = [set(sets.data[a:b].tolist()) for a, b in zip(sets.offsets[:-1], sets.offsets[1:], strict=True)]
    assert [*map(len, fast)] == [*map(len, slow)]
    for i in range(len(each)):
        assert [len(fast[i] & other) for other in fast] == [len(slow[i] & other) for other in slow]


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_damaged_text_is_measured_to_its_end(rows):
    text = Ragged.from_strings(rows)
    found = cut_passages(text, "sentence")
    long, keys = NearSettings(0.9, 5, 3).measure(text, found)
    assert long.size == found.start.size and keys.shape == (long.sum(), 9)


LINE = "abcdefghij"


@pytest.mark.parametrize(
    ("line", "options", "goes"),
    [
        ("abcdefghi", {}, True),  # nine letters of ten
        ("abcdefgh", {}, False),  # eight
        ("abcdefgh", {"near_threshold": 0.8}, True),
        ("abcdefghi", {"near_threshold": 0.91}, False),
        ("abcdefghi", {"near_threshold": None}, False),
        ("abcdefghi", {"near_min_letters": 9}, True),
        ("abcdefghi", {"near_min_letters": 10}, False),
        ("ABCDEFGHI", {}, True),  # case does not count
        ("ABCDEFGHIJ", {"near_threshold": None}, False),
        ("ABCDEFGHIJ", {"near_threshold": 1.0}, True),
        ("jihgfedcb", {}, True),  # runs of one character have no order
        ("jihgfedcb", {"near_shingle_size": 2}, False),
        (LINE, {"near_threshold": None}, True),
        (LINE, {"near_min_letters": 99}, True),  # exactly
    ],
)
def test_where_alike_begins(tmp_path, line, options, goes):
    options = {"near_threshold": 0.9, "near_shingle_size": 1, "near_min_letters": 5, "min_bytes": 0} | options
    texts = [f"{LINE}\n{'x' * 50}", f"{line}\n{'y' * 40}"]
    left, _, found = cut(tmp_path, texts, RepeatedPassages(**options))
    assert left == [texts[0], "y" * 40 if goes else texts[1]]
    assert found["kept_in"].to_list() == ["000"] * goes


def edited(words, edits):
    return " ".join(f"new{i}" if i < edits else word for i, word in enumerate(words))


def test_a_chain_of_edits_keeps_what_is_unlike_all_that_is_kept(tmp_path):
    words = [f"word{i}" for i in range(60)]
    texts = [edited(words, k) for k in range(20)]
    left, _, found = cut(tmp_path, texts, RepeatedPassages(near_threshold=0.9))
    sets = [reference.characters(text, 5) for text in texts]
    assert all(reference.jaccard(a, b) >= 0.9 for a, b in pairwise(sets))
    stay = [i for i, text in enumerate(left) if text]
    assert stay[0] == 0 and 4 < len(stay) < 16
    pairs = [(a, b) for a in stay for b in stay if a < b]
    assert max(reference.jaccard(sets[a], sets[b]) for a, b in pairs) < 0.9
    for id, _, _, keeper, similarity in found.iter_rows():
        assert int(keeper) in stay and similarity == reference.jaccard(sets[int(id)], sets[int(keeper)]) >= 0.9


def test_thousands_of_near_copies_take_a_comparison_a_band_each(tmp_path, monkeypatch):
    compared, compare = [], ShingleSets.compare
    monkeypatch.setattr(ShingleSets, "compare", lambda *args: compared.append(args[1].size) or compare(*args))
    stem = "the miller of the village grinds all grain that is brought to the mill before the snow falls on the hills "
    texts = [f"{stem}{i:04}" for i in range(3000)]
    left, _, _ = cut(tmp_path, ["\n".join(texts)], RepeatedPassages(near_threshold=0.8))
    assert left == [texts[0]]
    assert sum(compared) < 10 * len(texts)  # not 4,500,000: one in each of 9 bands, one to say how alike what goes is


def test_documents_removed_before_keep_nothing_out(tmp_path):
    stem = "the miller of the village grinds all grain that is brought to the mill before the snow falls"
    texts = [f"{stem} again, and longest", f"{stem} again, and long", f"{stem} again"]
    left, _, _ = cut(
        tmp_path, texts, RepeatedPassages(near_threshold=0.8), keep_mask=lambda *_: np.array([False, True, True])
    )
    assert left == [texts[0], texts[1], ""]


def test_copies_of_all_spellings_count_towards_min_copies(tmp_path):
    stem = "the miller of the village grinds all grain that is brought to the mill before the snow falls on day "
    texts = [f"{stem}{i}\n{chr(97 + i) * (50 - i)}" for i in range(4)]
    for copies, gone in ((4, 3), (5, 0)):
        _, counts, found = cut(tmp_path / str(copies), texts, RepeatedPassages(near_threshold=0.9, min_copies=copies))
        assert len(found) == gone and (counts["passages"] - counts["passages_left"]).sum() == gone
