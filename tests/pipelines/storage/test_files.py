"""Atomic writes, paths of file systems."""

import os
import resource
import stat
import sys

import numpy as np
import pytest
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write, mapped_array, to_path, told


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = UPath(tmp_path / "pipe")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write(b"metrics")
    assert os.read(reader, 100) == b"metrics" and stat.S_ISFIFO(os.stat(pipe).st_mode)
    os.close(reader)


def test_a_file_system_that_is_not_installed_is_an_error_of_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(WorkError, match=r"^s3://mill/work: .*pip install 'gristmill\[s3\]'$"):
        to_path("s3://mill/work")
    with pytest.raises(WorkError, match=r"^nowhere://mill"):
        to_path("nowhere://mill")


def test_a_mapped_array_that_does_not_fit_the_disk_is_an_error_before_it_is_written(tmp_path):
    made = mapped_array(tmp_path / "ids", np.uint32, 1000)
    made[:] = 7
    assert (np.fromfile(tmp_path / "ids", np.uint32) == 7).all() and made.size == 1000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            mapped_array(tmp_path / "more", np.uint32, 1 << 20)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert told(caught.value) == "File too large; free space or name another output"
