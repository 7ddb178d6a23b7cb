"""Result of an experiment with the run's data, if there is one."""

from typing import Any

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.sealed import read_sealed

RESULT = "impact.json"
MARGIN = 0.05  # of the width, on both sides


def impact(folder: UPath, asked: bool) -> dict[str, Any] | None:
    """Return the result of `gristmill impact` in a folder, its intervals as positions in percent, or None without one.

    Raises WorkError if the folder was ``asked`` for and holds no result.
    """
    if not (folder / RESULT).exists():
        if asked:
            raise WorkError(f"{folder} holds no {RESULT}; `gristmill impact run RECIPE --output {folder}` makes it")
        return None
    result = read_sealed(folder / RESULT, "remove it and run `gristmill impact run` again")
    questions = result["questions"]
    ends = [end for row in questions for end in (*row["interval"], row["margin"], -row["margin"])]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    width = (high - low or 1) * (1 + 2 * MARGIN)
    low -= MARGIN * width

    def place(value: float) -> float:
        return 100 * (value - low) / width

    for row in questions:
        first, last = (place(end) for end in row["interval"])
        row["drawn"] = {"point": place(row["delta"]), "first": first, "last": last}
        row["drawn"]["margin"] = place(-row["margin"]), place(row["margin"])
    return result | {"zero": place(0.0)}
