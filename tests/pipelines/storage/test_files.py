"""Atomic writes."""

import os
import stat

from upath import UPath

from gristmill.pipelines.storage.files import atomic_write


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = UPath(tmp_path / "pipe")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write(b"metrics")
    assert os.read(reader, 100) == b"metrics" and stat.S_ISFIFO(os.stat(pipe).st_mode)
    os.close(reader)
