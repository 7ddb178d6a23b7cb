"""Wheel and source distribution, built from a clean copy of the working tree.

Run ``python -m tools.dist [FOLDER]``; FOLDER is dist by default. setuptools packs whatever an earlier build left in the
tree, files that have moved since included, so it never builds in the tree itself.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.tree import copy_files, listed_files

REPOSITORY = Path(__file__).resolve().parents[1]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


def build_wheel(tree: Path, target: Path) -> Path:
    """Build the wheel of a source tree with the installed setuptools; return its path in ``target``."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", target)
    subprocess.run([*PIP, "wheel", tree, *options], cwd=target, check=True)
    return newest(target, "*.whl")


def build_sdist(tree: Path, target: Path) -> Path:
    """Build the source distribution of a source tree; return its path in ``target``."""
    subprocess.run([sys.executable, "-c", SDIST, target], cwd=tree, check=True, stdout=subprocess.DEVNULL)
    return newest(target, "*.tar.gz")


def newest(folder: Path, pattern: str) -> Path:
    """Return the file that was written last."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime)


def main() -> None:
    """Build both and print their paths."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve()
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        copy_files(REPOSITORY, listed_files(REPOSITORY), tree)
        print(build_sdist(tree, target), build_wheel(tree, target), sep="\n")


if __name__ == "__main__":
    main()
