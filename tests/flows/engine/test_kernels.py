"""All kernels that commands call are compiled at once, by one of several processes; the list of them is true."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from inspect import signature

import pytest

from gristmill.flows.engine.kernels import listed_kernels, parse, spell
from gristmill.pipelines.kernels.cache import KernelCache
from tools.kernel_list import name_of, recorded

COMPILE = """
import sys

from gristmill.flows.cli.output import console
from gristmill.flows.engine import kernels

if __name__ == "__main__":  # workers import this module, too
    kernels.listed_kernels = lambda: [
        ("gristmill.pipelines.kernels.gather", "_copy", "read(uint8),write(int64),write(int64),write(uint8)"),
        ("gristmill.filters.core.sampling", "_draw", "read(int64),read(uint8),uint64,write(float64)"),
    ]
    kernels.compile_all(console, look="look" in sys.argv)
"""


@pytest.fixture
def start(tmp_path):
    """Start a process that compiles two kernels into an empty cache."""
    (tmp_path / "fill.py").write_text(COMPILE)

    def started(*words):
        env = os.environ | {"GRISTMILL_CACHE": str(tmp_path / "cache")}
        return subprocess.Popen([sys.executable, tmp_path / "fill.py", *words], env=env, stderr=subprocess.PIPE)

    return started


def said(process):
    return process.communicate()[1].decode()


def test_the_list_names_kernels_and_types_that_exist():
    kernels = listed_kernels()
    assert len(kernels) > 100 and kernels == sorted(set(kernels))
    for module, kernel, kinds in kernels:
        dispatcher = eval(kernel, vars(import_module(module)))
        assert isinstance(dispatcher._cache, KernelCache) and name_of(dispatcher.py_func) == (module, kernel)
        assert ",".join(map(spell, parse(kinds))) == kinds
        assert len(parse(kinds)) == len(signature(dispatcher.py_func).parameters)


def test_calls_from_python_are_recorded_with_their_types():
    import numpy as np

    from gristmill.pipelines.kernels.gather import gather_spans

    with recorded() as found:
        gather_spans(np.zeros(3, np.float32), np.array([0, 1]), np.array([1, 3]))
    copied = "read(float32),write(int64),write(int64),write(float32)"
    assert found == {("gristmill.pipelines.kernels.gather", "_copy", copied)}


def test_one_of_several_processes_compiles_and_later_ones_have_nothing_to_do(start, tmp_path):
    told = sorted(said(process) for process in [start(), start()])
    waited = "Another process compiles the kernels for this processor; waiting for it.\n"
    assert told[0] in ("", waited)
    assert told[1].startswith("Compiling 2 kernels for this processor, once.\nCompiled them in")
    (folder,) = (tmp_path / "cache" / "kernels").iterdir()
    assert all(list(folder.glob(f"*{kernel}-*")) for kernel in ("gather._copy", "sampling._draw"))
    assert said(start()) == ""


def test_the_command_compiles_what_is_not_kept(start, tmp_path):
    said(start())
    assert said(start("look")) == "All kernels are compiled for this processor.\n"
    (copy,) = (tmp_path / "cache").glob("kernels/*/*gather._copy-*")
    copy.unlink()  # as after a change of its source, whose digest is in the name
    assert said(start()) == ""
    assert said(start("look")).startswith("Compiling 1 kernels for this processor, once.\n")
    assert copy.exists()


def test_a_killed_process_leaves_nothing_in_the_way(start):
    first = start()
    assert first.stderr.readline().startswith(b"Compiling")
    first.send_signal(signal.SIGKILL)
    assert said(first) == ""
    assert said(start()).startswith("Compiling 2 kernels")
