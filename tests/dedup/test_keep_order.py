import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.dedup import keep_order
from gristmill.dedup.keep_order import rank_documents
from gristmill.pipelines.steps import corpus as corpora
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.storage.shards import write_shard

NAN, INF = float("nan"), float("inf")
scores = st.sampled_from([None, NAN, -INF, -1.0, -0.0, 0.0, 2.5, INF])
documents = st.tuples(st.sampled_from(["a", "b", "c"]), scores, st.integers(0, 2), st.booleans())
names = st.lists(st.text("aåb\U0001f600", min_size=1, max_size=3), min_size=9, max_size=9, unique=True)


def write(folder, name, rows):
    """Rows (id, source, score, bytes) as a shard of documents and one of measures."""
    columns = list(zip(*rows, strict=True)) or [()] * 4
    fields = {"id": pa.string(), "source": pa.string(), "score": pa.float64()}
    table = pa.table({key: pa.array(columns[i], kind) for i, (key, kind) in enumerate(fields.items())})
    write_shard(folder / "documents" / f"{name}.parquet", [table], table.schema)
    measured = pa.table({"bytes": pa.array(columns[3], pa.int64())})
    write_shard(folder / "measures" / f"{name}.parquet", [measured], measured.schema)


def expected(rows, wanted, n_documents, priority):
    """The keep order in plain Python: (id, source, score, bytes) by number."""

    def key(number):
        id, source, score, size = rows[number]
        unscored = score is None or score != score
        place = priority.index(source) if source in priority else len(priority)
        return number < n_documents, place, unscored, 0.0 if unscored else -score, -size, id.encode()

    return sorted(wanted, key=key)


@given(
    names=names,
    rows=st.lists(documents, min_size=1, max_size=9),
    priority=st.sampled_from([[], ["b"], ["c", "a"]]),
    scored=st.booleans(),
    at_once=st.integers(1, 4),
    left_out=st.sets(st.integers(0, 8)),
)
def test_keep_order_is_that_of_sorted(tmp_path_factory, names, rows, priority, scored, at_once, left_out):
    local = tmp_path_factory.mktemp("order")
    folder = UPath(local)
    own = [(id, *row[:3]) for id, row in zip(names, rows, strict=False) if not row[3]]
    indexed = [(id, *row[:3]) for id, row in zip(names, rows, strict=False) if row[3]]
    for name, some in (("0", own[::2]), ("1", own[1::2])):
        write(folder / "new", name, some)
    write(folder / "index", "0", indexed)
    new, index = (tuple(folder / kind / part for part in ("documents", "measures")) for kind in ("new", "index"))
    every = [*own[::2], *own[1::2], *indexed]
    every = [(id, source, score if scored else None, size) for id, source, score, size in every]
    wanted = np.array([number for number in range(len(every)) if number not in left_out], np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "list_shards", lambda folder: sorted(folder.glob("*.parquet")))
        patch.setattr(keep_order, "NAMED_AT_ONCE", at_once)
        corpus = Corpus(*new, ["0", "1"], lambda _, n: np.ones(n, bool)).with_indices([index])
        found = rank_documents(corpus, wanted, local / "scratch", priority, "score" if scored else None)
    assert wanted[found.order].tolist() == expected(every, wanted.tolist(), len(own), priority)
    assert (found.ranks[found.order] == np.arange(wanted.size)).all()
    asked = wanted[::-1].repeat(2)
    assert found.names(asked).to_list() == [every[number][0] for number in asked]
