"""A snapshot gives the object that was built, never one of other data; a damaged file is built again."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.storage import snapshots
from gristmill.pipelines.storage.snapshots import ALIGNMENT, snapshot

ZEROS = 1 << 20


class Tables(NamedTuple):
    name: str
    words: np.ndarray
    halves: np.ndarray  # a view of words
    fixed: np.ndarray  # read-only
    empty: np.ndarray
    zeros: np.ndarray
    inside: np.ndarray  # a view of zeros
    pairs: np.ndarray
    texts: list


def tables(name="a"):
    words, zeros = np.arange(1000, dtype=np.uint64), np.zeros(ZEROS, np.uint8)
    fixed = np.arange(7)
    fixed.flags.writeable = False
    pairs = np.ones(3, [("a", np.int32), ("b", np.int64)])
    inside = zeros[5:50:3]
    return Tables(name, words, words[3:].view(np.uint32), fixed, np.empty((0, 3)), zeros, inside, pairs, [b"x", "y"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "cache_folder", lambda: tmp_path)
    return tmp_path


def never():
    raise AssertionError("built again")


def test_the_object_is_the_one_that_was_built(folder):
    built = tables()
    assert snapshot(Tables, "1", lambda: built) is built
    mapped = snapshot(Tables, "1", never)
    assert (mapped.name, mapped.texts) == (built.name, built.texts)
    for name, ours, theirs in zip(Tables._fields, mapped, built, strict=True):
        if isinstance(theirs, np.ndarray):
            assert np.array_equal(ours, theirs) and ours.dtype == theirs.dtype, name
            assert ours.flags.writeable == theirs.flags.writeable and ours.flags.aligned, name
            assert ours.flags.c_contiguous == theirs.flags.c_contiguous, name
    (file,) = folder.iterdir()
    assert file.stat().st_size < ZEROS


def test_views_share_memory_and_lie_at_the_same_place_in_a_cache_line(folder):
    built = snapshot(Tables, "1", tables)
    mapped = snapshot(Tables, "1", never)
    mapped.words[3], mapped.inside[0] = 1 << 32, 9
    assert mapped.halves[:2].tolist() == [0, 1] and mapped.zeros[5] == 9
    for name in ("words", "halves", "fixed"):
        assert (getattr(mapped, name).ctypes.data - getattr(built, name).ctypes.data) % ALIGNMENT == 0


def test_what_is_written_to_one_stays_there(folder):
    snapshot(Tables, "1", tables)
    snapshot(Tables, "1", never).words[:] = 7
    assert snapshot(Tables, "1", never).words[8] == 8


def test_other_data_is_built_again(folder):
    assert [snapshot(Tables, version, lambda v=version: tables(v)).name for version in "aba"] == ["a", "b", "a"]
    assert len([*folder.iterdir()]) == 2


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the file of a snapshot and its bytes."""
    made = tmp_path_factory.mktemp("snapshot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "cache_folder", lambda: made)
        snapshot(Tables, "1", tables)
    (file,) = made.iterdir()
    return file, file.read_bytes()


@given(st.data())
def test_a_damaged_file_is_built_again(written, data):
    file, good = written
    if data.draw(st.booleans(), "cut"):
        bad = good[: data.draw(st.sampled_from([0, 1, 31, 32, 33, 40, len(good) - 1]))]
    else:
        at = data.draw(st.one_of(st.integers(0, 200), st.integers(0, len(good) - 1)))
        bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    file.write_bytes(bad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "cache_folder", lambda: file.parent)
        assert snapshot(Tables, "1", lambda: tables("again")).name == "again"
        assert snapshot(Tables, "1", never).name == "again"


@pytest.mark.parametrize("where", [None, "missing"])
def test_without_a_folder_to_write_to_it_is_built(tmp_path, monkeypatch, where):
    (tmp_path / "missing").write_text("a file")
    monkeypatch.setattr(snapshots, "cache_folder", lambda: where and tmp_path / where)
    assert [snapshot(Tables, "1", tables).name for _ in range(2)] == ["a", "a"]
