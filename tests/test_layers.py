"""Imports point one way (see the README's tree), and the heavy libraries stay in their rooms."""

import ast
from pathlib import Path

import pytest

ROOMS = {
    "pipelines": set(),
    "filters": {"pipelines"},
    "dedup": {"pipelines"},
    "tokenizers_lab": {"pipelines"},
    "pretrain": {"pipelines"},
    "flows": {"pipelines", "filters", "dedup", "tokenizers_lab", "pretrain"},
}
ONLY_IN = {"torch": "pretrain", "prefect": "flows"}
FILES = [path for room in ROOMS for path in sorted((Path(__file__).parents[1] / room).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-2:]))
def test_a_room_knows_only_the_rooms_below_it(path):
    (room,) = ROOMS.keys() & set(path.relative_to(Path(__file__).parents[1]).parts[:1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for top in (name.partition(".")[0] for name in names):
            assert top not in ROOMS.keys() - ROOMS[room] - {room}, f"{path} imports {top}"
            assert ONLY_IN.get(top, room) == room, f"{path} imports {top}"
