"""Copies of the working tree: what git does not ignore."""

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOMS = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows")


def listed_files(root: Path) -> list[str]:
    """Return the paths that git knows or would add, and that are there."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in names if name and (root / name).is_file()]


def copy_files(root: Path, names: Iterable[str], target: Path) -> None:
    """Copy files to the same paths below ``target``."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
