"""The house: imports point one way, folders have no circles and few files, heavy libraries stay in their rooms."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = {
    "pipelines": set(),
    "filters": {"pipelines"},
    "dedup": {"pipelines"},
    "tokenizers_lab": {"pipelines"},
    "pretrain": {"pipelines"},
    "flows": {"pipelines", "filters", "dedup", "tokenizers_lab", "pretrain"},
}
FRONT = "gristmill"  # the front door: shows what all rooms hold, and no room knows it
ONLY_IN = {"torch": "pretrain", "prefect": "flows"}
FILES_A_FOLDER = 14
FOLDERS = (*ROOMS, FRONT)
FILES = {path.relative_to(REPOSITORY): path for room in FOLDERS for path in sorted((REPOSITORY / room).rglob("*.py"))}
SHOWN = {path.stem for path in FILES if path.parts[0] == FRONT}


def imported_names(path: Path):
    """Yield every dotted name that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_file(name: str) -> Path | None:
    """Return the file of ours that a dotted name leads to, or None."""
    parts = name.split(".")[1:] if name.startswith("gristmill.") else []
    parts = [FRONT, *parts] if parts and parts[0] in SHOWN else parts
    while parts:
        for path in (Path(*parts).with_suffix(".py"), Path(*parts) / "__init__.py"):
            if path in FILES:
                return path
        parts.pop()
    return None


def has_circle(graph: dict) -> list | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        return circle.args[1]
    return None


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_room_knows_only_the_rooms_below_it(path):
    room = path.parts[0]
    for name in imported_names(FILES[path]):
        top, _, inner = name.partition(".")
        assert top not in ROOMS, f"{path} imports {name}, not gristmill.{name}"
        if top == "gristmill":
            inner = inner.partition(".")[0]
            known = {*ROOMS, *SHOWN} if room == FRONT else ROOMS[room] | {room}
            assert inner in known, f"{path} imports {name}"
        assert ONLY_IN.get(top, room) == room, f"{path} imports {top}"


def test_kernels_compile_into_our_own_cache():
    """numba's own cache depends on who imports numba first (pipelines/kernels/cache.py)."""
    compiling = {str(path) for path, file in FILES.items() if "numba.njit" in set(imported_names(file))}
    assert compiling == {"pipelines/kernels/intrinsics.py"}


def test_files_import_each_other_in_no_circle():
    graph = {path: {module_file(name) for name in imported_names(FILES[path])} - {None, path} for path in FILES}
    assert has_circle(graph) is None


def test_the_front_door_knows_no_command():
    front = [path for path in FILES if path.parts[0] == FRONT and path.stem != "__main__"]
    imported = {name for path in front for name in imported_names(FILES[path])}
    assert not [name for name in imported if name.startswith("gristmill.flows.cli")]


@pytest.mark.parametrize("room", ROOMS)
def test_folders_import_each_other_in_no_circle(room):
    graph = {}
    for path in FILES:
        if path.parts[0] == room and path.name != "__init__.py":
            inner = {module_file(name) for name in imported_names(FILES[path])} - {None}
            graph.setdefault(path.parent, set()).update(file.parent for file in inner if file.parts[0] == room)
    assert has_circle({folder: others - {folder} for folder, others in graph.items()}) is None


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES} - {Path("flows/cli")}), ids=str)
def test_a_folder_is_read_at_a_glance(folder):
    files = [path.name for path in FILES if path.parent == folder]
    assert len(files) <= FILES_A_FOLDER, files
