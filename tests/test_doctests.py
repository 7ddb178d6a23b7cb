"""Examples in docstrings print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

from tools.tree import ROOMS

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
SHOWN = [str(path.relative_to(REPOSITORY)) for path in FILES if ">>> " in path.read_text("utf-8")]


@pytest.mark.parametrize("path", SHOWN)
def test_examples_print_what_they_say(path):
    module = importlib.import_module(f"gristmill.{path.removesuffix('.py').replace('/', '.')}")
    found = doctest.testmod(module)
    assert found.attempted and not found.failed
