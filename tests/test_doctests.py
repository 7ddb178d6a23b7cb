"""Examples in docstrings print what they say; every public name of the library has one."""

import doctest
import importlib
import inspect
from pathlib import Path

import polars as pl
import pytest
from corpora import IMPACT, RECIPE, documents, write_jsonl

import gristmill as gm
from tools.tree import ROOMS

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
SHOWN = [str(path.relative_to(REPOSITORY)) for path in FILES if ">>> " in path.read_text("utf-8")]
FRONT = sorted(path.stem for path in (REPOSITORY / "gristmill").glob("*.py") if ">>> " in path.read_text("utf-8"))
TEXTS = {
    "long": "The mill grinds slowly, but it grinds exceedingly fine, and the baker waits.",
    "short": "Mill closed.",
    "other": "People have turned grain into flour with water and wind for ages.",
}


@pytest.mark.parametrize("path", SHOWN)
def test_examples_print_what_they_say(path):
    module = importlib.import_module(f"gristmill.{path.removesuffix('.py').replace('/', '.')}")
    found = doctest.testmod(module)
    assert found.attempted and not found.failed


@pytest.fixture
def _undeclared_inputs_are_hidden():
    """Nothing is hidden here: the fixture of conftest.py knows no relative paths."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with texts, a run, a tokenizer, token shards and a model."""
    folder = tmp_path_factory.mktemp("examples")
    rows = [{"id": id, "text": text} for id, text in TEXTS.items()]
    write_jsonl(folder / "texts.jsonl", rows)
    write_jsonl(folder / "copies.jsonl", [{"id": "twin", "text": TEXTS["long"]}])
    write_jsonl(folder / "quiz.jsonl", [{"question": "How many loaves does a baker bake of ten sacks of flour?"}])
    write_jsonl(folder / "many.jsonl", documents())
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "experiment.toml").write_text(IMPACT)
    recipe = {"steps": {"gopher": {"min_words": 5, "min_stop_words": "off"}}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        gm.clean(recipe, "texts.jsonl", "work", workers=1)
        gm.Tokenizer.train("many.jsonl", "tokenizer", 300, workers=1)
        gm.tokenize("many.jsonl", "tokenizer", "many", settings={"tokens.validation": 0}, workers=1)
        small = {"model.d_model": 16, "model.n_heads": 1, "model.n_layers": 1, "model.context": 16}
        gm.pretrain("many", "model", steps=2, settings=small)
    return folder


@pytest.mark.parametrize("name", FRONT)
def test_examples_of_the_library_print_what_they_say(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    module = importlib.import_module(f"gristmill.{name}")
    found = doctest.testmod(module, extraglobs={"gm": gm, "pl": pl})
    assert found.attempted and not found.failed


def undocumented(name, value):
    """Yield the public functions and methods without an example."""
    if ">>> " not in (inspect.getdoc(value) or ""):
        yield name
    if inspect.isclass(value):
        public = [(inner, getattr(value, inner)) for inner in vars(value) if not inner.startswith("_")]
        for inner, method in public:
            if callable(method) or isinstance(method, property):
                yield from undocumented(f"{name}.{inner}", method)


def test_every_public_function_has_an_example():
    ours = [name for name, module in gm._NAMES.items() if module in FRONT]
    missing = [each for name in ours for each in undocumented(name, getattr(gm, name))]
    assert missing == []
