"""Arrays kept in the cache: made once, equal when mapped, made again when the file is damaged or has no folder."""

import numpy as np
import pytest

from gristmill.pipelines.kernels import array_cache

ARRAYS = {
    "weights": np.arange(40, dtype=np.float32).reshape(5, 8),
    "none": np.zeros(0, np.int64),
    "classes": np.array(["en", "zh-hant"]),
    "rows": np.arange(3, dtype=np.uint16),
}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that asks for the arrays, and tells whether they had to be made."""
    monkeypatch.setattr(array_cache, "cache_folder", lambda: tmp_path)

    def ask():
        calls = []
        found = array_cache.mapped_arrays("model-1", lambda: calls.append(0) or ARRAYS)
        assert [*found] == [*ARRAYS]
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            assert not found[name].flags.writeable
            assert np.array_equal(found[name], array)
        return bool(calls)

    return ask


def test_arrays_are_made_once_and_mapped_read_only(made, tmp_path):
    assert [made(), made(), made()] == [True, False, False]
    assert [path.name for path in tmp_path.iterdir()] == ["model-1.npy"]
    weights = array_cache.mapped_arrays("model-1", dict)["weights"]
    assert weights.flags.c_contiguous
    assert weights.ctypes.data % array_cache.HEAD == 0


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: b"x" + data[1:]])
def test_a_damaged_file_is_written_again(made, tmp_path, damage):
    made()
    path = tmp_path / "model-1.npy"
    path.write_bytes(damage(path.read_bytes()))
    assert [made(), made()] == [True, False]


def test_each_byte_of_the_arrays_is_checked(made, tmp_path):
    made()
    path = tmp_path / "model-1.npy"
    good = path.read_bytes()
    for at in range(len(good) - 4 * array_cache.HEAD, len(good), 9):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert made(), at


def test_without_a_folder_arrays_are_made_in_memory(made, monkeypatch):
    monkeypatch.setattr(array_cache, "cache_folder", lambda: None)
    assert [made(), made()] == [True, True]


def test_a_folder_that_cannot_be_written_changes_no_answer(made, tmp_path, monkeypatch):
    monkeypatch.setattr(array_cache, "cache_folder", lambda: tmp_path / "missing")
    assert [made(), made()] == [True, True]
