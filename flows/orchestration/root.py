"""Folder that flows write in: the parameters of a run come from whoever can reach the Prefect server."""

import os
from pathlib import Path

from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.storage.files import is_local, to_path

ROOT = "GRISTMILL_ROOT"  # environment variable; without it, as in a flow that Python calls, every output is allowed


def root_folder(root: str) -> UPath:
    """Return the absolute path of the folder that ``gristmill serve --root`` names; a URL stays as it is."""
    path = to_path(root)
    if is_local(path) and not path.is_dir():
        raise WorkError(f"--root {root} is not a folder; make it, or name another")
    return to_path(_real(path)) if is_local(path) else path


def output_path(output: str) -> UPath:
    """Return the path of a flow's output; raise RecipeError if it lies outside the folder that ROOT names."""
    path, root = to_path(output), os.environ.get(ROOT)
    if root and not _lies_in(path, to_path(root)):
        raise RecipeError(f"output {output!r} lies outside {root}; choose one inside, or restart with another --root")
    return path


def _lies_in(path: UPath, root: UPath) -> bool:
    """True if a path is the root or below it, after ``..`` and symbolic links."""
    if is_local(path) and is_local(root):
        return _real(path).is_relative_to(_real(root))
    return f"{path}/".startswith(f"{str(root).rstrip('/')}/") and ".." not in str(path).split("/")


def _real(path: UPath) -> Path:
    """Return the absolute local path without ``..`` and symbolic links; its last parts need not exist."""
    return Path(os.path.realpath(path.path))
