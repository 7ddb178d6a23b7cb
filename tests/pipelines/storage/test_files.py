"""Atomic writes, paths of file systems."""

import os
import stat
import sys

import pytest
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write, to_path


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
