"""Compiled kernels are found again by every process, whoever filled the folder, and only where they can be trusted."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gristmill.pipelines.kernels import cache

REPOSITORY = Path(__file__).resolve().parents[3]
KERNELS = """
import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel, kernel

@allocating_kernel
def numbers(x):
    return np.arange(x)

@kernel
def double(x):
    return 2 * x

@kernel
def total(x):
    if not x.size:
        raise ValueError("nothing to sum")
    return x.sum()

def times(factor):
    @kernel
    def multiply(x):  # too long to be inlined
        y = x
        for i in range(x):
            y = y * factor % 1_000_003 + i
            if y % 7 == 3:
                for k in range(5):
                    y += k * factor
        return y
    return multiply

two, three = times(2), times(3)

@kernel
def by_two(x):
    return two(x) + two(x + 1)

@kernel
def by_three(x):
    return three(x) + three(x + 1)
"""
DOUBLE = "from kernels import double; print(double(4), sum(double.stats.cache_hits.values()))"
COMPILED, LOADED = "8 0", "8 1"


class Process:
    """Processes with a cache folder of their own, and a module of two kernels."""

    def __init__(self, folder):
        self.modules, self.cache = folder / "modules", folder / "cache"
        self.modules.mkdir()
        (self.modules / "kernels.py").write_text(KERNELS)

    @property
    def entries(self):
        return sorted(path for path in self.cache.glob("kernels/*/*") if path.name.startswith("kernels."))

    def start(self, code, **options):
        unset = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
        env = unset | {"PYTHONPATH": f"{self.modules}:{REPOSITORY}", "GRISTMILL_CACHE": str(self.cache)}
        env |= options.pop("env", {})
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", code], env=env, **pipes, **options)

    def run(self, code=DOUBLE, **options):
        process = self.start(code, **options)
        out, self.said = process.communicate()
        assert process.returncode == 0, self.said
        return out.strip()


@pytest.fixture
def process(tmp_path):
    return Process(tmp_path)


def test_it_does_not_matter_who_imports_numba_first(process, tmp_path):
    assert process.run() == COMPILED
    kept = process.entries
    assert process.run(f"import numba; {DOUBLE}") == LOADED
    assert process.run(env={"NUMBA_CACHE_DIR": str(tmp_path / "other")}) == LOADED
    assert process.entries == kept and len(kept) == 1
    assert not (tmp_path / "other").exists() and not list(process.modules.rglob("*.nbi"))


def test_only_kernels_that_allocate_start_numbas_runtime(process):
    code = """
from numba.core.runtime import rtsys
from kernels import double, numbers
print(double(4), rtsys._init, numbers(3).tolist(), rtsys._init, sum(numbers.stats.cache_hits.values()))
"""
    assert process.run(code) == "8 True [0, 1, 2] True 0"  # compiled
    assert process.run(code) == "8 False [0, 1, 2] True 1"


def test_a_kernel_that_sums_is_loaded_without_what_compiles_sums(process):
    code = """
import sys, numpy as np
from kernels import total
print(total(np.arange(5)), "scipy.linalg" in sys.modules, sum(total.stats.cache_hits.values()))
try:
    total(np.arange(0))
except ValueError as error:
    print(error)
"""
    assert process.run(code) == "10 True 0\nnothing to sum"  # compiled
    assert process.run(code) == "10 False 1\nnothing to sum"


def test_a_copy_of_the_sources_finds_them_and_a_changed_one_does_not(process, tmp_path):
    assert process.run() == COMPILED
    process.modules = shutil.move(process.modules, tmp_path / "moved")
    os.utime(process.modules / "kernels.py", (1, 1))
    assert process.run() == LOADED
    (process.modules / "kernels.py").write_text(KERNELS.replace("2 * x", "3 * x"))
    assert process.run() == "12 0"
    (process.modules / "kernels.py").write_text(KERNELS)
    assert process.run() == LOADED  # the two do not displace each other


def test_options_of_numba_that_change_the_code_have_a_folder_of_their_own(process):
    assert process.run() == process.run(env={"NUMBA_BOUNDSCHECK": "1"}) == COMPILED
    assert process.run() == process.run(env={"NUMBA_BOUNDSCHECK": "1"}) == LOADED


def test_processes_that_fill_the_folder_at_once_lose_nothing(process):
    numbers = "4", "4.0", "True", "np.float32(4)", "np.uint64(4)"
    code = "import numpy as np; from kernels import double; double({}); print(sum(double.stats.cache_hits.values()))"
    for hits in ("0", "1"):
        running = [process.start(code.format(number)) for number in numbers]
        assert [each.communicate()[0].strip() for each in running] == [hits] * len(numbers)


def test_kernels_of_one_factory_are_told_apart_whichever_processes_compiled_them(process):
    """The two processes give both inner kernels the same name, unless they count from different numbers."""
    alone = [process.run(f"from kernels import {name}; print({name}(50))") for name in ("by_two", "by_three")]
    code = (
        "from kernels import *; print(by_two(50)); print(by_three(50)); print(sum(by_three.stats.cache_hits.values()))"
    )
    assert process.run(code).split() == [*alone, "1"] and alone[0] != alone[1]


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:-1] + b"\0"])
def test_a_damaged_file_is_made_again(process, damage):
    process.run()
    (entry,) = process.entries
    entry.write_bytes(damage(entry.read_bytes()))
    assert process.run() == COMPILED
    assert process.run() == LOADED


def test_the_folder_is_closed_to_others(process):
    old = os.umask(0)
    try:
        process.run()
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in process.cache.glob("kernels*")} == {0o700}


def test_a_folder_that_is_or_may_be_another_users_is_not_used(process):
    assert process.run() == COMPILED
    assert process.run(f"import os; os.geteuid = lambda: {os.geteuid() + 1}; {DOUBLE}") == (
        LOADED if os.geteuid() == 0 else COMPILED  # what root has written is trusted
    )
    (process.cache / "kernels").chmod(0o770)
    assert process.run() == COMPILED
    assert re.search("kernels are not kept: .* others can write to it; GRISTMILL_CACHE names another", process.said)
    (process.cache / "kernels").chmod(0o755)
    assert process.run() == LOADED


def test_without_room_kernels_compile_in_memory_and_it_is_said_once(process):
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    assert process.run(f"{DOUBLE}; double(4.0)", preexec_fn=full) == COMPILED
    assert process.said.count("kernels are not kept") == 1 and "File too large" in process.said
    assert list(process.cache.glob("kernels/*/*")) == []
    process.cache = process.modules / "kernels.py"  # a file where the folder should be
    assert process.run(f"{DOUBLE}; double(4.0)") == COMPILED
    assert process.said.count("Not a directory") == 1


def test_files_that_no_process_has_used_for_a_month_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "new")
    ages = {"old/a-1": 31, "old/b-1": 29, "new/c-1.tmp": 31, "new/d-1": 0, "new/compiled": 31}
    for name, days in ages.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * 86_400,) * 2)
    cache.prune()
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")} == {"old/b-1", "new/d-1", "new/compiled"}
