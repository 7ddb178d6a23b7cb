"""The run that faults are injected into: a small corpus, a recipe, a disturbed and an undisturbed work folder."""

import json
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
RESULTS = ("documents", "rejects", "clean", "removed", "ledger")
DOCUMENTS = 2400
RECIPE = "[input]\nwork_unit_bytes = 60000\n[steps.c4]\nmin_sentences = 2\n[steps.fineweb]\n[steps.exact]\n"
WORDS = "the mill by a river turns grain into flour and of bread people have made for years with water to be told"


class Mill:
    """A corpus, a recipe, the work folder of the disturbed run and that of the undisturbed run."""

    def __init__(self, folder: Path):
        self.raw, self.recipe, self.work, self.whole = (folder / n for n in ("raw", "recipe.toml", "work", "whole"))
        self.recipe.write_text(RECIPE)
        self.raw.mkdir()
        rng = random.Random(1)
        for k in range(8):
            with (self.raw / f"{k}.jsonl").open("w") as file:
                for i in range(DOCUMENTS // 8):
                    lines = (" ".join(rng.choices(WORDS.split(), k=rng.randint(4, 25))) for _ in range(9))
                    text = "\n".join(line.capitalize() + "." for line in lines) if i % 7 else "short"
                    file.write(json.dumps({"id": f"{k}-{i}", "text": text}) + "\n")

    def start(self, *options: str, work: Path | None = None, **popen: Any) -> subprocess.Popen:
        command = [sys.executable, "-m", "gristmill", "clean", self.recipe, "--input", self.raw, "--workers", "2"]
        command += ["--output", work or self.work, *options]
        popen["env"] = os.environ | {"PYTHONPATH": str(HERE)} | popen.get("env", {})
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(list(map(str, command)), start_new_session=True, **quiet, **popen)

    def run(self, *options: str, **popen: Any) -> tuple[int, str]:
        """Run to the end; return the exit code and the last line that begins with Error or Interrupted."""
        process = self.start(*options, **popen)
        return self.end(process)

    def verify(self) -> str:
        """Return the number of problems that `gristmill verify` prints."""
        command = [sys.executable, "-m", "gristmill", "verify", str(self.work), "--json"]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE)}, capture_output=True, text=True)
        return f"verify: exit {done.returncode}, {len(json.loads(done.stdout)['problems'])} problems"

    def end(self, process: subprocess.Popen) -> tuple[int, str]:
        _, output = process.communicate(timeout=300)
        errors = [line for line in output.splitlines() if line.startswith(("Error", "Interrupted"))]
        return process.returncode, errors[-1] if errors else ""

    def shard_count(self) -> int:
        return sum(1 for _ in self.work.rglob("part-*.parquet"))

    def until(self, process: subprocess.Popen, files: int) -> bool:
        """Wait until the run has written ``files`` shards or has ended; return True if it is still running."""
        while process.poll() is None and self.shard_count() < files:
            time.sleep(0.005)
        return process.poll() is None

    def same(self) -> bool:
        return tree(self.work) == tree(self.whole)

    def lost(self) -> int:
        summary = json.loads((self.work / "summary.json").read_text())
        return DOCUMENTS - summary["clean"] - summary["removed"] - summary["rejects"]


def tree(work: Path) -> dict[str, bytes]:
    files = (path for name in RESULTS for path in (work / name).rglob("*") if path.is_file())
    return {str(path.relative_to(work)): path.read_bytes() for path in files}


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a run, without the extractors of pages."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the process has ended meanwhile
            pids = map(int, path.read_text().split())
            found += [p for p in pids if b"engine.workers" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return found
