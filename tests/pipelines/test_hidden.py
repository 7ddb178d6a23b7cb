"""Packages that a library imports if they are installed are hidden from it, and from nobody else."""

import importlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gristmill.pipelines.hidden import hidden

LOADED = "import sys, gristmill.pipelines.kernels; print(*sorted({'coverage', 'scipy', 'yaml'} & {*sys.modules}))"
AFTER = "import gristmill.pipelines.kernels, yaml, scipy; print(yaml.__name__)"


def test_a_hidden_module_is_missing_in_the_block_and_thread_alone(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("first_of_them", "second_of_them"):
        (tmp_path / f"{name}.py").write_text("")
        monkeypatch.delitem(sys.modules, name, raising=False)
    with hidden("first_of_them", "second_of_them"):
        with pytest.raises(ModuleNotFoundError, match="first_of_them"):
            importlib.import_module("first_of_them")
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(importlib.import_module, "second_of_them").result().__name__ == "second_of_them"
        assert importlib.import_module("second_of_them")  # which is imported already
    assert importlib.import_module("first_of_them")


@pytest.mark.parametrize(("settings", "found"), [(None, ""), ("", "yaml")])
def test_numba_is_imported_without_what_only_its_settings_need(tmp_path, settings, found):
    if settings is not None:
        (tmp_path / ".numba_config.yaml").write_text(settings)
    command = [sys.executable, "-c", LOADED]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == found


def test_a_hidden_package_is_there_afterwards(tmp_path):
    said = subprocess.run([sys.executable, "-c", AFTER], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "yaml"
