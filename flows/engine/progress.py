"""Progress of a run: a bar with rate and remaining time on a terminal, and a log as text or JSON lines."""

import logging
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from upath import UPath

from gristmill.flows.engine.prometheus import exposition
from gristmill.flows.escape import json_bytes
from gristmill.pipelines.storage.files import atomic_write, is_local

log = logging.getLogger("gristmill")
MB = 1e6
LINE_SECONDS = 60  # between lines of a step that runs, where there is no terminal


class RichProgress:
    """Progress with a bar per step on a terminal, and a line per finished step there and in WORK/log.jsonl.

    With ``as_json`` the lines on the console are JSON, too. ``prometheus`` is a file for metrics.
    """

    def __init__(
        self, console: Console, work: UPath | None = None, as_json: bool = False, prometheus: UPath | None = None
    ):
        self.console, self.work = console, work
        self.bar: Progress | None = None
        self.as_json, self.prometheus = as_json, prometheus
        self.show_steps = True  # as lines on the console
        self.lines: list[dict] = []
        self.work_done = 0  # jobs; 0 means that everything was finished already

    def start(self, title: str, jobs: int, bytes: int) -> None:
        self.began = self.told = time.perf_counter()
        self.title, self.total, self.done = title, bytes, 0  # bytes, or jobs if the step counts no bytes
        self.running: dict[int, int] = {}  # id of a running job -> bytes that it is done with
        if self.console.is_terminal and jobs and not self.as_json:
            texts = [TextColumn(text, markup=False) for text in ("{task.description:>10}", "{task.fields[rate]}")]
            columns = texts[0], BarColumn(), TaskProgressColumn(), texts[1], TimeElapsedColumn(), TimeRemainingColumn()
            bar = self.bar = Progress(*columns, console=self.console, transient=True)
            bar.start()
            self.task = bar.add_task(title, total=bytes or jobs, rate="")

    def move(self, job, bytes: int) -> None:
        """Show how far a running job has come."""
        if self.total:
            self.running[id(job)] = min(bytes, job.bytes)
            self._show()

    def advance(self, job) -> None:
        self.work_done += 1
        self.running.pop(id(job), None)
        self.done += job.bytes if self.total else 1
        self._show()

    def _show(self) -> None:
        done, now = self.done + sum(list(self.running.values())), time.perf_counter()
        rate = done / MB / (now - self.began)
        if self.bar:
            self.bar.update(self.task, completed=done, rate=f"{rate:.1f} MB/s" if self.total else "")
        elif self.total and not self.as_json and now - self.told >= LINE_SECONDS:
            self.told, left = now, (self.total - done) / MB / rate if rate else 0
            digits = 1 if self.total < 100 * MB else 0
            parts = f"{done / MB:,.{digits}f} of {self.total / MB:,.{digits}f} MB"
            parts += f", {rate:.{1 if rate >= 0.1 else 3}f} MB/s, {left:,.0f} s left"
            self.console.print(f"{self.title:>14}  {parts}", soft_wrap=True)

    def finish(self, title: str, seconds: float, jobs_run: int, counts: dict[str, int]) -> None:
        self.stop()
        megabytes = self.total / MB
        line = {"time": time.time(), "step": title, "seconds": round(seconds, 3), "jobs": jobs_run, "counts": counts}
        line["mb_per_second"] = round(megabytes / seconds, 3) if seconds else 0.0
        if self.as_json:
            self.console.file.write(json_bytes(line).decode() + "\n")
            self.console.file.flush()
        elif self.show_steps:
            text = ", ".join(f"{count:,} {key}" for key, count in counts.items() if key in ("documents", "rejects"))
            self.console.print(f"{title:>14}  {seconds:6.1f} s  {jobs_run:,} jobs  {text}", soft_wrap=True)
        log.info("finished %s in %.2f s: %s", title, seconds, counts)
        if self.work:
            _append(self.work / "log.jsonl", json_bytes(line) + b"\n")
        self.lines.append(line)
        if self.prometheus:
            with atomic_write(self.prometheus) as file:
                file.write(exposition(self.lines).encode())

    def stop(self) -> None:
        """Remove the bar from the screen."""
        if self.bar:
            self.bar.stop()
            self.bar = None


def _append(path: UPath, line: bytes) -> None:
    if is_local(path):
        with path.open("ab") as file:
            file.write(line)
        return
    before = path.read_bytes() if path.exists() else b""  # objects cannot be appended to; one line per step
    with path.open("wb") as file:
        file.write(before + line)
