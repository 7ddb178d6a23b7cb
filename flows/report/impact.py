"""What the data were worth to a model: an experiment's result, if one lies by the run."""

from typing import Any

import orjson
from upath import UPath

from gristmill.pipelines.errors import WorkError

RESULT = "impact.json"
ROOM = 0.05  # of the width, on both sides


def impact(folder: UPath, asked: bool) -> dict[str, Any] | None:
    """The result of `gristmill impact` in a folder, its intervals as places in percent; None where there is none.

    Raises WorkError where the folder was ``asked`` for.
    """
    if not (folder / RESULT).exists():
        if asked:
            raise WorkError(f"{folder} holds no {RESULT}; `gristmill impact run RECIPE --output {folder}` makes it")
        return None
    told = orjson.loads((folder / RESULT).read_bytes())
    questions = told["questions"]
    ends = [end for row in questions for end in (*row["interval"], row["margin"], -row["margin"])]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    width = (high - low or 1) * (1 + 2 * ROOM)
    low -= ROOM * width

    def place(value: float) -> float:
        return 100 * (value - low) / width

    for row in questions:
        first, last = (place(end) for end in row["interval"])
        row["drawn"] = {"point": place(row["delta"]), "first": first, "last": last}
        row["drawn"]["margin"] = place(-row["margin"]), place(row["margin"])
    return told | {"zero": place(0.0)}
