"""Seconds from ``git clone`` to the report of ``make run``, kernels not compiled: ``python -m benchmarks.first_run``.

Clones the last commit and runs the commands that ``make --dry-run run`` prints, each timed, with an empty cache of
kernels; then those of Gristmill a second time, into empty folders. The installation of packages is counted apart: its
time is that of the network.
"""

import os
import shutil
import tempfile
from pathlib import Path
from subprocess import check_output

from benchmarks.harness import Run, Side, run

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = "--requirement requirements.lock"  # in the command that installs them
OURS = ".venv/bin/gristmill "


def timed(line: str, folder: str | Path) -> Run:
    """Run a line of the shell in a folder."""
    return run(Side(command=("sh", "-c", f"cd {folder} && {line}")))


def show(title: str, *runs: Run) -> None:
    """Print wall and CPU seconds of one line."""
    cells = [f"{each.wall:>8.1f}{each.cpu:>8.1f}" for each in runs]
    print(f"{''.join(cells):<34}{title[:86]}", flush=True)


def main() -> None:
    """Print wall and CPU seconds of each command, and their sums."""
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'first':>16}{'second':>16}\n" + f"{'wall':>8}{'CPU':>8}" * 2)
    with tempfile.TemporaryDirectory(prefix="first-run-") as folder:
        os.environ["GRISTMILL_CACHE"] = f"{folder}/cache"
        tree = Path(folder) / "tree"
        clone = f"git clone --quiet {REPOSITORY} {tree}"
        first = {clone: timed(clone, folder)}
        lines = check_output(["make", "--dry-run", "run"], cwd=tree, text=True).splitlines()
        first |= {line: timed(line, tree) for line in lines}
        for made in ("demo", "work"):
            shutil.rmtree(tree / made)
        for line, once in first.items():
            show(line, once, *([timed(line, tree)] if line.startswith(OURS) else []))
    for title, wanted in (("packages", True), ("all else", False)):
        taken = [each for line, each in first.items() if (PACKAGES in line) == wanted]
        show(title, Run(wall=sum(each.wall for each in taken), cpu=sum(each.cpu for each in taken), peak=0))


if __name__ == "__main__":
    main()
