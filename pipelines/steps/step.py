"""Run a step: skip what still fits, do the rest, write the manifest last.

A step makes one or more folders by jobs. A job is a plain function over one shard (or over a whole folder, where
it must see all) that writes its files whole and returns what it wrote and counted; an engine says where jobs run.

A job declares for each of its outputs what it reads and which settings count. This file alone turns both into the
fingerprint by which a later run knows that a part still fits. In tests a job sees no folder that it has not declared
(tests/undeclared.py).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Protocol

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import (
    Manifest,
    Part,
    clear_progress,
    fingerprint,
    record_part,
    require_finished,
    resume,
)
from gristmill.pipelines.storage.retry import retry


class Written(NamedTuple):
    """What a job left in one folder."""

    names: list[str]  # of the files, relative to the folder
    counts: dict[str, int]  # which add up over jobs


class Input(NamedTuple):
    """A shard of a finished folder that a job reads, or the whole folder where ``name`` is empty."""

    folder: UPath
    name: str = ""
    kind: str = ""  # what it is to the job: documents, measures, spans, decisions, …
    step: str = ""  # of the recipe, which made it

    @property
    def path(self) -> UPath:
        """The file of a single shard."""
        return self.folder / f"{self.name}.parquet"


class RawInput(NamedTuple):
    """A file that no step made, or a folder that others overwrite, and what stands for its contents.

    A checksum does, or size and time; for a folder, the settings it was made with.
    """

    url: str
    version: str | tuple


class Output(NamedTuple):
    """A part that a job makes: its folder, its name there, and everything it depends on."""

    folder: UPath
    name: str
    inputs: tuple[Input | RawInput, ...] = ()
    settings: Any = None  # as JSON: all else that it depends on
    kind: str = ""  # what it holds, for a job of several outputs
    step: str = ""  # of the recipe, for a job that works for several steps
    fingerprint: str = ""  # of inputs and settings, which `run_step` fills in

    @property
    def path(self) -> UPath:
        """Where the part lies when it is a single shard."""
        return self.folder / f"{self.name}.parquet"

    def part(self, name: str) -> "Output":
        """Return this output for one shard, which names the output and each of its inputs."""
        inputs = (each._replace(name=name) if isinstance(each, Input) else each for each in self.inputs)
        return self._replace(name=name, inputs=tuple(inputs))


def inputs_of(outputs: Iterable[Output], kind: str) -> dict[str, Input]:
    """Return what the outputs are made from, of one kind, by the step of the recipe that made it."""
    every = chain.from_iterable(output.inputs for output in outputs)
    return {each.step: each for each in every if isinstance(each, Input) and each.kind == kind}


def input_of(outputs: Iterable[Output], kind: str) -> Input:
    """Return the only input of a kind."""
    (one,) = inputs_of(outputs, kind).values()
    return one


@dataclass(frozen=True)
class Job:
    """``work(*args, outputs) -> list[Wrote]``, one for each output in turn. All of it must pickle."""

    work: Callable[..., list[Written]]
    args: tuple
    outputs: tuple[Output, ...]
    bytes: int = 0  # of input: the measure of progress
    cheap: bool = False  # it decides or copies, and may be done before a worker has started

    @property
    def inputs(self) -> tuple[Input | RawInput, ...]:
        """All that the job may read, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(output.inputs for output in self.outputs)))

    @property
    def seconds(self) -> float:
        """About how long it takes: enough to tell what is worth a worker, or a task of Prefect."""
        return 0.1 + self.bytes / (40e6 if self.cheap else 5e6)

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
    def finish(self, title: str, seconds: float, jobs_run: int, counts: dict[str, int]) -> None: ...


@dataclass
class Step:
    """Folders to make, each from its settings and its share of the jobs' outputs."""

    title: str
    folders: dict[UPath, dict]  # folder -> the settings it is made with, as JSON
    jobs: list[Job]
    prepare: Callable[[], None] = lambda: None  # called once before the first job, here and not in a worker
    done: Callable[[dict[UPath, Manifest]], None] = lambda manifests: None  # checks before the manifests are written


def by_shard(
    work: Callable[..., list[Written]], args: tuple, outputs: list[Output], shards: dict[str, int], cheap: bool = False
) -> list[Job]:
    """Return a job for each shard (name -> bytes): it reads and writes the part of that name in every folder."""
    return [Job(work, args, tuple(o.part(name) for o in outputs), size, cheap) for name, size in shards.items()]


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
        part = Part.from_files(output.folder, output.fingerprint, wrote.names, wrote.counts)
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

    def finish(self, title, seconds, jobs_run, counts):
        pass


class StepResult(NamedTuple):
    """A step's folders, and how many jobs it took this time: none where everything was there."""

    manifests: dict[UPath, Manifest]
    jobs_run: int


def run_step(step: Step, engine: Engine = run_serial, progress: Progress | None = None) -> StepResult:
    """Make the step's folders; what is there and still fits is not made again."""
    progress, began, jobs = progress or NullProgress(), time.perf_counter(), []
    step = _fingerprinted(step)
    wanted, names = _parts_of(step), _names(step)
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


def fits(step: Step) -> bool:
    """True if all folders of the step are there, whole, and made of the inputs and settings it names now."""
    return all(_still_fits(folder, name) for folder, name in names_of(step).items())


def names_of(step: Step) -> dict[UPath, str]:
    """Return for each folder the fingerprint of all it depends on, which its manifest holds once it is finished."""
    return _names(_fingerprinted(step))


def _fingerprinted(step: Step) -> Step:
    """Return the step with the fingerprint of each output filled in.

    An input counts by the checksums in its folder's manifest. An input that the step itself makes has none yet and
    counts by its fingerprint, which stands for everything it will be made of.
    """
    own = {str(folder) for folder in step.folders}  # strings: to find two paths equal takes 30 µs
    made: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, str]] = {}

    def checksums(folder: UPath) -> dict[str, str]:
        if str(folder) not in found:
            files = require_finished(folder, "run the command that makes it").files
            by_name = {name: file["sha256"] for name, file in files.items()}
            found[str(folder)] = {**by_name, "": fingerprint(by_name)}
        return found[str(folder)]

    def counts_by(each: Input | RawInput) -> str | tuple:
        if isinstance(each, RawInput):
            return each.version
        if str(each.folder) in own:
            return made[str(each.folder), each.name]
        return checksums(each.folder)[f"{each.name}.parquet" if each.name else ""]

    def filled_in(output: Output) -> Output:
        name = fingerprint(output.settings, [counts_by(each) for each in output.inputs])
        made[str(output.folder), output.name] = name
        return output._replace(fingerprint=name)

    return replace(step, jobs=[replace(job, outputs=tuple(map(filled_in, job.outputs))) for job in step.jobs])


def _names(step: Step) -> dict[UPath, str]:
    return {folder: fingerprint(step.folders[folder], parts) for folder, parts in _parts_of(step).items()}


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
    if not manifest or manifest.fingerprint != name or not all(p.verify(folder) for p in manifest.parts.values()):
        return None
    clear_progress(folder)
    return manifest
