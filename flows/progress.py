"""Long work shows itself: a bar with rate and time left on a terminal, plain log lines elsewhere."""

import logging
import time

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from upath import UPath

log = logging.getLogger("gristmill")
MB = 1e6


class Shown:
    """Progress for people: a bar for each step on a terminal, a line at its end anywhere; and WORK/log.jsonl."""

    def __init__(self, console: Console, work: UPath | None = None):
        self.console, self.work, self.bar = console, work, None
        self.work_done = 0  # jobs: none means that everything was there already

    def start(self, title: str, jobs: int, bytes: int) -> None:
        self.began, self.total = time.perf_counter(), bytes
        if self.console.is_terminal and jobs:
            columns = (
                TextColumn("{task.description:>10}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
            )
            self.bar = Progress(
                *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self.console, transient=True
            )
            self.bar.start()
            self.task = self.bar.add_task(title, total=bytes or jobs, rate="")

    def advance(self, job) -> None:
        self.work_done += 1
        if self.bar:
            self.bar.advance(self.task, job.bytes if self.total else 1)
            done, seconds = self.bar.tasks[0].completed, time.perf_counter() - self.began
            self.bar.update(self.task, rate=f"{done / MB / seconds:.1f} MB/s" if self.total else "")

    def finish(self, title: str, seconds: float, fresh: int, counts: dict[str, int]) -> None:
        self.stop()
        shown = ", ".join(f"{count:,} {key}" for key, count in counts.items() if key in ("documents", "rejects"))
        self.console.print(f"{title:>14}  {seconds:6.1f} s  {fresh:,} jobs  {shown}", highlight=False, soft_wrap=True)
        log.info("finished %s in %.2f s: %s", title, seconds, counts)
        if self.work:
            line = {"time": time.time(), "step": title, "seconds": round(seconds, 3), "jobs": fresh, "counts": counts}
            with (self.work / "log.jsonl").open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")

    def stop(self) -> None:
        """Take the bar off the screen."""
        if self.bar:
            self.bar.stop()
            self.bar = None
