"""CPU seconds of a command in two revisions of the repository, and their ratio.

    python -m benchmarks.commits OLD NEW -- clean clean-corpus --input messy.jsonl.zst --workers 1 --output OUT

OLD or NEW may be ``.``, the files as they are. The command runs in turns, ``--rounds`` times in each after a run
that compiles. ``OUT`` in it is a new folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.harness import Side, run

HERE = Path(__file__).resolve().parents[1]
ROOMS = ("dedup", "filters", "flows", "pipelines", "pretrain", "recipes", "tokenizers_lab")


def namespace(revision: str, folder: Path) -> Path:
    """Return a folder to import ``gristmill`` of a revision from."""
    source, package = HERE, folder / "namespace" / "gristmill"
    package.mkdir(parents=True)
    if revision != ".":
        source = folder / "source"
        source.mkdir()
        archive = subprocess.run(["git", "-C", HERE, "archive", revision], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    for path in (*(source / room for room in ROOMS), *source.glob("gristmill/*.py")):
        (package / path.name).symlink_to(path)
    return package.parent


def main() -> None:
    """Print a line per round, and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commits", description=__doc__)
    parser.add_argument("revisions", nargs=2, metavar="REVISION")
    parser.add_argument("command", nargs="+", help="arguments of gristmill, after --")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sides = []
        for side, revision in zip(("old", "new"), arguments.revisions, strict=True):
            places, out = namespace(revision, Path(name, side)), Path(name, side, "out")
            command = [str(out) if word == "OUT" else word for word in arguments.command]
            python = ("env", f"PYTHONPATH={places}", sys.executable, "-P", "-m", "gristmill")  # -P: not this folder
            sides.append(Side(command=(*python, *command), fresh=out))
        cpu = [[run(side).cpu for side in sides] for _ in range(arguments.rounds + 1)][1:]
    for old, new in cpu:
        print(f"{old:.1f} {new:.1f} {new / old:.3f}")
    old, new = (median(each) for each in zip(*cpu, strict=True))
    print(f"{old:.1f} {new:.1f} {new / old:.3f} (medians, load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
