"""A compiled kernel is used again only while all the sources it was made of are as they were."""

import ast
from functools import partial

import pytest

from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.gopher import Gopher
from gristmill.pipelines import sources as digests
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.sources import ROOT, code_of, sources, state

ROOMS = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_those_that_python_sees(path):
    expected = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        places = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            places = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for place in places:
            base = ROOT / place.removeprefix("gristmill.").replace(".", "/")
            expected |= {file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()}
    assert digests.imported(path) == expected


def test_sources_are_followed_through_other_files():
    assert ROOT / "pipelines/kernels/unicode_tables.py" in sources(ROOT / "filters/words/chunks.py")
    assert ROOT / "pipelines/storage/shards.py" not in sources(ROOT / "filters/words/chunks.py")


def test_the_state_changes_with_an_imported_file_and_with_no_other(monkeypatch):
    real = digests._digest

    def changed(name):
        monkeypatch.setattr(digests, "_digest", lambda path: b"?" if path == ROOT / name else real(path))
        return state.__wrapped__(str(ROOT / "filters" / "words" / "chunks.py"))

    now = state(str(ROOT / "filters" / "words" / "chunks.py"))
    assert changed("pipelines/kernels/unicode_tables.py") != now
    assert changed("filters/words/chunks.py") != now
    assert changed("pipelines/storage/shards.py") == now


def test_a_file_of_others_stands_for_itself(tmp_path):
    file = tmp_path / "other.py"
    file.write_text("from gristmill.pipelines import ragged\n")
    one = state.__wrapped__(str(file))
    digests._digest.cache_clear()
    file.write_text("from gristmill.pipelines import ragged  # changed\n")
    assert state.__wrapped__(str(file)) != one


def test_the_code_of_a_job_is_that_of_its_function_and_of_its_arguments(monkeypatch):
    c4, gopher = (state(str(ROOT / "filters/rules" / name)) for name in ("c4.py", "gopher.py"))
    assert code_of(Gopher(), C4(), C4(min_words=1), "text", 3, None) == sorted([c4, gopher])
    assert code_of(partial(Ragged.from_strings, [""]), len) == [state(str(ROOT / "pipelines/ragged.py"))]
    monkeypatch.setattr(digests, "CHECKOUT", False)
    assert code_of(Gopher()) == []
