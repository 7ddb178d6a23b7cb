"""Pieces of held-out text, what of it the arms hold, distinct text, and what repeated tokens are worth."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.flows.impact.documents.distinct import distinct_shares
from gristmill.flows.impact.eval_sets import cut_pieces, overlap
from gristmill.flows.impact.train import Data
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pipelines.storage.shards import write_shard


@given(
    st.lists(st.sampled_from(["a", "word ", "\n", "ü", "漢", "👩", " ", "x" * 70])).map("".join), st.integers(64, 90)
)
def test_pieces_are_whole_characters_and_all_of_the_text(text, size):
    pieces = cut_pieces(text.encode(), size)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece.encode()) <= size for piece in pieces)


def test_overlap_counts_grams_that_any_documents_hold(tmp_path):
    words = [f"w{i}" for i in range(40)]
    texts = {
        "whole": words,
        "half": [*words[:20], *(f"v{i}" for i in range(20))],
        "new": words[::-1],
        "short": words[:9],
    }
    pieces = [{"id": name, "text": " ".join(text), "source": "raw"} for name, text in texts.items()]
    trained = [{"id": str(k), "text": " ".join(words[k : k + 25]), "source": ""} for k in (0, 15)]
    for name, rows in (("pieces", pieces), ("trained", trained)):
        folder = UPath(tmp_path / name)
        write_shard(folder / "0.parquet", [pa.Table.from_pylist(rows, DOCUMENT)], DOCUMENT)
        Manifest("", {}, {"0": Part.from_files(folder, "", ["0.parquet"], {})}).write(folder)
    shares = overlap(UPath(tmp_path / "pieces"), [UPath(tmp_path / "trained" / "0.parquet")], 13)["share"].to_list()
    # 28 grams of 13 words: the two documents share words 15 to 24, so the grams of 3 to 14 that cross are in neither
    assert shares[0] == pytest.approx((13 + 13) / 28) and shares[1] == pytest.approx(8 / 28)
    assert shares[2] == 0.0 and shares[3] is None


def test_repeated_tokens_are_worth_less():
    assert Data(tokens=1000, bytes=4000, trained=500).effective == 500
    twice = Data(tokens=1000, bytes=4000, trained=2000)
    assert twice.unique == 1000 and 1900 < twice.effective < 2000 and twice.source_bytes == 8000
    assert Data(tokens=1000, bytes=4000, trained=10**6).effective < 1000 * 16.5


def test_distinct_text_counts_copies_and_shared_passages_once(tmp_path):
    words = [f"w{i}" for i in range(4000)]
    texts = [" ".join(words), " ".join(words), " ".join([*words[:2000], *(f"v{i}" for i in range(2000))]), ""]
    rows = [{"id": str(i), "text": text, "source": ""} for i, text in enumerate(texts)]
    write_shard(UPath(tmp_path / "0.parquet"), [pa.Table.from_pylist(rows, DOCUMENT)], DOCUMENT)
    found = distinct_shares([UPath(tmp_path / "0.parquet")])
    assert found["exact"] == pytest.approx(2 / 3, abs=0.01) and found["near"] == pytest.approx(0.5, abs=0.05)
    assert distinct_shares([]) == {"exact": 1.0, "near": 1.0}
