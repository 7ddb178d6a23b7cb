"""``import gristmill`` loads one file; its names are typed, listed, and lead to the rooms."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import gristmill as gm

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "numba", "polars", "pyarrow", "torch", "prefect", "datasets", "pydantic", "rich", "click")


def in_a_process(code):
    """Run Python elsewhere, and return what it prints as JSON."""
    code = f"import json, sys\n{code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_it_loads_nothing_else():
    loaded = in_a_process("before = {*sys.modules}; import gristmill; print(json.dumps([*({*sys.modules} - before)]))")
    assert [name for name in loaded if name.startswith("gristmill")] == ["gristmill"]
    assert not {*HEAVY} & {*loaded}


def test_listing_its_names_loads_nothing():
    listed, loaded = in_a_process("import gristmill; print(json.dumps([dir(gristmill), [*sys.modules]]))")
    assert listed == sorted(gm.__all__)
    assert not {*HEAVY} & {*loaded}


def test_a_text_question_loads_no_trainer():
    assert not in_a_process("import gristmill; gristmill.scan_pii; print(json.dumps('torch' in sys.modules))")


def test_a_tokenizer_in_use_loads_no_flows():
    loaded = in_a_process("import gristmill; gristmill.Tokenizer; print(json.dumps([*sys.modules]))")
    heavy = {"polars", "rich", "regex", "prefect", "torch", "gristmill.flows", "gristmill.pipelines.ingest"}
    assert not {*heavy, "pyarrow", "pydantic", "upath"} & {*loaded}


@pytest.mark.parametrize("name", gm.__all__)
def test_a_name_leads_somewhere(name):
    assert getattr(gm, name) is not None


def test_types_are_those_of_the_table():
    """Type checkers read the imports under TYPE_CHECKING, programs the table."""
    tree = ast.parse(Path(gm.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom) and node.module != "inspect"]
    named = {each.asname: (node.module, each.name) for node in imports for each in node.names}
    table = {name: f"gristmill.{place}".partition(":") for name, place in gm._NAMES.items()}
    assert named == {name: (module, inner or name) for name, (module, _, inner) in table.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'gristmill' has no attribute 'claen'"):
        gm.claen  # noqa: B018


@pytest.mark.parametrize("name", ["dedup", "pretrain"])
def test_a_room_with_the_name_of_a_function_is_both(name):
    room = getattr(gm, name)
    assert room is sys.modules[f"gristmill.{name}"]
    assert "output" in inspect.signature(room).parameters
    assert ">>> " in inspect.getdoc(room)
    with pytest.raises(TypeError, match="required positional argument"):
        room()


def test_a_room_that_is_imported_first_can_be_called():
    code = (
        "import gristmill.dedup.near.lsh as lsh, gristmill as gm; print(json.dumps([lsh.__name__, callable(gm.dedup)]))"
    )
    assert in_a_process(code) == ["gristmill.dedup.near.lsh", True]
