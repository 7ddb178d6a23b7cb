"""Date of a run, its command and the names of its inputs, as the work folder records them."""

import shlex
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from gristmill.flows.engine.run_lock import last_run
from gristmill.flows.runs.finished import FinishedRun, without_places


def made(work: FinishedRun) -> dict[str, Any]:
    """Return the day on which the last run of the folder began (UTC), its command, and the names of its inputs.

    Day and command come from ``run.json``, not from the clock: the same folder gives the same report. Both are "" on an
    object store, which has no such record.
    """
    note, _ = last_run(work.folder)
    date = datetime.fromtimestamp(note["began"], UTC).date().isoformat() if "began" in note else ""
    return {
        "date": date,
        "command": command(note.get("command", [])),
        "paths": without_places([path for each in work.recipe.input for path in each.paths]),
    }


def command(words: list[str]) -> str:
    """Return a command without the folders of the machine, or "" if it is not one of Gristmill's or a script.

    >>> command(["/home/ada/.venv/bin/gristmill", "clean", "fineweb", "--input=/data/a b.jsonl", "--output", "work"])
    "gristmill clean fineweb '--input=a b.jsonl' --output work"
    >>> command(["/home/ada/prepare.py", "--key", "x"])
    'python prepare.py'
    """
    path = PurePath(words[0]) if words else PurePath()
    if path.name == "gristmill" or path.parts[-2:] == ("gristmill", "__main__.py"):
        return shlex.join(["gristmill", *map(_plain, words[1:])])
    return shlex.join(["python", path.name]) if path.suffix == ".py" and path.name != "__main__.py" else ""


def _plain(word: str) -> str:
    option, equals, value = word.partition("=")
    return f"{option}{equals}{without_places(value)}" if equals else without_places(word)
