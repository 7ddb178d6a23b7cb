"""Run a step: skip what still fits, do the rest, write the manifest last.

A step makes one or more folders by jobs. A job is a plain function over one shard (or over a whole folder, where
it must see all) that writes its files whole and returns what it wrote and counted; an engine says where jobs run.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import Manifest, Part, clear_progress, fingerprint, record_part, resume
from gristmill.pipelines.storage.retry import retry


class Written(NamedTuple):
    """What a job left in one folder."""

    names: list[str]  # of the files, relative to the folder
    counts: dict[str, int]  # which add up over jobs


class Output(NamedTuple):
    """A part a job promises: its folder, its name there, and a fingerprint of all it depends on."""

    folder: UPath
    name: str
    fingerprint: str
    key: str = ""  # tells a job of several outputs which one this is

    @property
    def path(self) -> UPath:
        """Where the part lies when it is a single shard."""
        return self.folder / f"{self.name}.parquet"


@dataclass(frozen=True)
class Job:
    """``work(*args, outputs) -> list[Wrote]``, one for each output in turn. All of it must pickle."""

    work: Callable[..., list[Written]]
    args: tuple
    outputs: tuple[Output, ...]
    bytes: int = 0  # of input: the measure of progress
    light: bool = False  # it decides or copies, and may be done before a worker has started

    @property
    def seconds(self) -> float:
        """About how long it takes: enough to tell what is worth a worker, or a task of Prefect."""
        return 0.1 + self.bytes / (40e6 if self.light else 5e6)

    @property
    def title(self) -> str:
        """Its name to a person: ``measure shard part-00003``."""
        work = getattr(self.work, "__name__", type(self.work).__name__)
        return f"{work.strip('_').replace('_', ' ')} {self.outputs[0].name}"


class Engine(Protocol):
    """Somewhere to run jobs. Yields each with its parts when it is done, in any order."""

    def __call__(self, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]: ...


class Progress(Protocol):
    """Told what is going on: a bar on a terminal, lines in a log, nothing in a test."""

    def start(self, title: str, jobs: int, bytes: int) -> None: ...
    def advance(self, job: Job) -> None: ...
    def finish(self, title: str, seconds: float, fresh: int, counts: dict[str, int]) -> None: ...


@dataclass
class Step:
    """Folders to make, each from its settings and its share of the jobs' outputs."""

    title: str
    folders: dict[UPath, dict]  # folder -> the settings it is made with, as JSON
    jobs: list[Job]
    prepare: Callable[[], None] = lambda: None  # called once before the first job, here and not in a worker
    done: Callable[[dict[UPath, Manifest]], None] = lambda manifests: None  # checks before the manifests are written


def run_job(job: Job) -> list[Part]:
    """Do the work, then record each finished part: only now will another run skip it.

    What fails for a passing reason is done again; a file that cannot be read or written is a WorkError.
    """
    try:
        return retry(lambda: _run_job(job), job.title)
    except OSError as error:
        raise WorkError(f"{job.title}: {error}; finished parts are kept: put it right and run again") from error


def _run_job(job: Job) -> list[Part]:
    parts = []
    for output, wrote in zip(job.outputs, job.work(*job.args, job.outputs), strict=True):
        part = Part.of(output.folder, output.fingerprint, wrote.names, wrote.counts)
        record_part(output.folder, output.name, part)
        parts.append(part)
    return parts


def run_serial(jobs: Iterable[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """The engine of tests and of one worker: here, one after the other."""
    for job in jobs:
        yield job, run_job(job)


class NullProgress:
    """The progress of tests."""

    def start(self, title, jobs, bytes):
        pass

    def advance(self, job):
        pass

    def finish(self, title, seconds, fresh, counts):
        pass


class StepResult(NamedTuple):
    """A step's folders, and how many jobs it took this time: none where everything was there."""

    manifests: dict[UPath, Manifest]
    fresh: int


def run_step(step: Step, engine: Engine = run_serial, progress: Progress | None = None) -> StepResult:
    """Make the step's folders; what is there and still fits is not made again."""
    progress, began, jobs = progress or NullProgress(), time.perf_counter(), []
    wanted, names = _parts_of(step), names_of(step)
    manifests = {f: m for f in step.folders if (m := _still_fits(f, names[f]))}
    if len(manifests) < len(step.folders):
        parts = {f: resume(f, wanted[f]) for f in step.folders if f not in manifests}
        jobs = [job for job in (_without(job, parts) for job in step.jobs) if job.outputs]
        progress.start(step.title, len(jobs), sum(job.bytes for job in jobs))
        if jobs:
            step.prepare()
        for job, results in engine(jobs):
            for output, part in zip(job.outputs, results, strict=True):
                parts[output.folder][output.name] = part
            progress.advance(job)
        made = {f: Manifest(names[f], step.folders[f], dict(sorted(parts[f].items()))) for f in parts}
        step.done(manifests | made)
        for folder, manifest in made.items():
            manifest.write(folder)
        manifests |= made
        counts = {key: count for m in made.values() for key, count in m.counts.items()}
        progress.finish(step.title, time.perf_counter() - began, len(jobs), counts)
    return StepResult(manifests, len(jobs))


def names_of(step: Step) -> dict[UPath, str]:
    """Folder -> the fingerprint of all it depends on, which its manifest holds when it is finished."""
    wanted = _parts_of(step)
    return {folder: fingerprint(step.folders[folder], wanted[folder]) for folder in step.folders}


def _parts_of(step: Step) -> dict[UPath, dict[str, str]]:
    wanted: dict[UPath, dict[str, str]] = {folder: {} for folder in step.folders}
    for job in step.jobs:
        for output in job.outputs:
            wanted[output.folder][output.name] = output.fingerprint
    return wanted


def _without(job: Job, parts: dict[UPath, dict[str, Part]]) -> Job:
    """The job with only those outputs that are still to be made."""
    return replace(job, outputs=tuple(o for o in job.outputs if o.folder in parts and o.name not in parts[o.folder]))


def _still_fits(folder: UPath, name: str) -> Manifest | None:
    manifest = Manifest.read(folder)
    fits = manifest and manifest.fingerprint == name and all(p.is_whole(folder) for p in manifest.parts.values())
    if fits:
        clear_progress(folder)
    return manifest if fits else None
