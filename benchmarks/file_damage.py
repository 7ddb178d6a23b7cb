"""Faults of files: inputs that change during the run, flipped bits, damaged notes and manifests, a flood of documents.

Each fault returns a line about what happened. Afterwards the same command must write the same bytes as ever.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.mill import Mill

CHANGED = ("--set", "c4.min_sentences=3", "--workers", "1")  # other thresholds: everything but `documents` is made anew
EMPTY = 1_000_000


def damage(mill: Mill, pattern: str, change: Callable[[bytes], bytes], folder: bool = False) -> str:
    """Change a finished file, verify, run with other thresholds, remove the file (or its folder) as the error says."""
    shutil.copytree(mill.whole, mill.work)
    path = sorted(mill.work.glob(pattern))[0]
    path.write_bytes(change(path.read_bytes()))
    said = mill.verify()
    code, line = mill.run(*CHANGED)
    shutil.rmtree(path.parent) if folder else path.unlink(missing_ok=True)
    return f"{said}; with other thresholds: exit {code} {line}; removed and run again"


def flip(data: bytes) -> bytes:
    """Return the data with one bit in the middle flipped."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1 :]


def flip_after_kill(mill: Mill) -> str:
    """Start a run, kill it, and flip a bit in a part that it had finished."""
    process = mill.start()
    mill.until(process, 6)
    process.kill()
    process.wait()
    records = sorted((mill.work / "documents" / ".progress").glob("part-*.json"))
    shard = next(iter(sorted((mill.work / "documents").glob("*.parquet"))))
    shard.write_bytes(flip(shard.read_bytes()))
    return f"killed with {len(records)} parts of documents finished, a bit of the first flipped"


def change_input(mill: Mill, change: Callable[[bytes], bytes]) -> str:
    """Change the last input file during the run; put the old bytes back afterwards."""
    path = sorted(mill.raw.iterdir())[-1]
    before = path.read_bytes()
    process = mill.start("--workers", "1")
    mill.until(process, 1)
    path.write_bytes(change(before))
    code, line = mill.end(process)
    path.write_bytes(before)
    return f"exit {code} {line}; put back, run again"


def flood(mill: Mill) -> str:
    """Add a file of a million empty documents, run, and take it away again."""
    path = mill.raw / "empty.jsonl"
    path.write_text('{"text": ""}\n' * EMPTY)
    process, peak = mill.start("--workers", "1"), 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.2)
    code, line = mill.end(process)
    path.unlink()
    lost = mill.lost() + EMPTY if code == 0 else line
    return f"exit {code}, lost {lost}, peak {peak >> 10:,} MB; the file removed, run again"


def edit(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


def put(mill: Mill, name: str, data: bytes) -> str:
    """Replace a note of the work folder by garbage, and run: it is written anew, or named and removed."""
    shutil.copytree(mill.whole, mill.work)
    (mill.work / name).write_bytes(data)
    said = mill.verify()
    code, line = mill.run("--workers", "1")
    if code:
        (mill.work / name).unlink()
    return f"{said}; exit {code} {line}"


# The rows that change inputs come last: the files have other times then, and runs read them again.
DAMAGE: dict[str, Callable[[Mill], str]] = {
    "documents: zeros, same size": lambda mill: damage(mill, "documents/*.parquet", lambda data: bytes(len(data))),
    "documents: cut short": lambda mill: damage(mill, "documents/*.parquet", lambda data: data[:100]),
    "documents: bit flipped": lambda mill: damage(mill, "documents/*.parquet", flip),
    "documents: bit flipped after a kill": flip_after_kill,
    "measures: bit flipped": lambda mill: damage(mill, "steps/c4/measures/*.parquet", flip),
    "spans: bit flipped": lambda mill: damage(mill, "steps/c4/spans/*.parquet", flip),
    "decisions: bit flipped": lambda mill: damage(mill, "steps/fineweb/decisions/*.parquet", flip),
    "clean: bit flipped": lambda mill: damage(mill, "clean/*.parquet", flip),
    "removed: bit flipped": lambda mill: damage(mill, "removed/*.parquet", flip),
    "ledger: bit flipped": lambda mill: damage(mill, "ledger/*.parquet", flip),
    "manifest of documents: {}": lambda mill: damage(mill, "documents/manifest.json", lambda data: b"{}", True),
    "manifest of measures: a bit": lambda mill: damage(mill, "steps/c4/measures/manifest.json", flip, True),
    "manifest of the ledger: an edited count": lambda mill: damage(
        mill, "ledger/manifest.json", edit(b'"documents": ', b'"documents": 1'), True
    ),
    "summary.json: garbage": lambda mill: put(mill, "summary.json", b"\xff["),
    "recipe.json: garbage": lambda mill: put(mill, "recipe.json", b"[]"),
    "inputs.json: garbage": lambda mill: put(mill, "inputs.json", b"null"),
    "run.json: garbage": lambda mill: put(mill, "run.json", b"[" * 9_999),
    "input cut short during the run": lambda mill: change_input(mill, lambda data: data[: len(data) // 2]),
    "input replaced during the run": lambda mill: change_input(mill, lambda data: data.replace(b"mill", b"moon")),
    "input grows during the run": lambda mill: change_input(mill, lambda data: data + b'{"text": "more"}\n' * 999),
    f"{EMPTY:,} empty documents": flood,
}
