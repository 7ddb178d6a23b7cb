"""Runner of steps: skip the parts that are up to date, run jobs for the others, write the manifest last.

A step makes one or more folders by jobs. A job is a function over one shard, or over a folder if it must see all of
it. It writes its files atomically and returns their names and counts. An engine chooses the process of each job.

A job declares the inputs and settings of each of its outputs. This file alone turns them into the fingerprint by which
a later run knows that a part is up to date. In tests a job can read no folder that it has not declared
(tests/undeclared.py).

Before a job reads an input, this file compares its checksum with the manifest's: a shard in the process of the job, a
whole folder in the runner, once for all jobs. Damage ends the run before it reaches another folder.
"""

import ctypes
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.progress import watched
from gristmill.pipelines.sources import code_of
from gristmill.pipelines.storage.files import told, verify_files
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

MADE_BY = "run the command that makes it"


class Written(NamedTuple):
    """Result of a job in one folder."""

    names: list[str]  # of files, relative to the folder
    counts: dict[str, int]  # summed over jobs


class Input(NamedTuple):
    """Shard of a finished folder that a job reads, or the whole folder if ``name`` is empty."""

    folder: UPath
    name: str = ""
    kind: str = ""  # its role in the job: documents, measures, spans, decisions, …
    step: str = ""  # name of the recipe's step that made it
    sha256: str = ""  # of a shard that another step made, set by `run_step`

    @property
    def path(self) -> UPath:
        """File of a single shard."""
        return self.folder / f"{self.name}.parquet"


class RawInput(NamedTuple):
    """File made by no step, or folder that other commands overwrite, with a version that identifies its contents.

    The version is a checksum, or size and time; for a folder, the settings that made it.
    """

    url: str
    version: str | tuple


class Output(NamedTuple):
    """Part made by a job: its folder, its name there, and everything it depends on."""

    folder: UPath
    name: str
    inputs: tuple[Input | RawInput, ...] = ()
    settings: Any = None  # as JSON: all other dependencies
    kind: str = ""  # its contents, for a job of several outputs
    step: str = ""  # name of the recipe's step, for a job of several steps
    fingerprint: str = ""  # of inputs and settings, set by `run_step`
    version: str = ""  # of what it reads of whole folders, if that is less than all of them

    @property
    def path(self) -> UPath:
        """File of a part that is a single shard."""
        return self.folder / f"{self.name}.parquet"

    def part(self, name: str) -> "Output":
        """Return this output for one shard; the output and each input take its name."""
        inputs = (each._replace(name=name) if isinstance(each, Input) else each for each in self.inputs)
        return self._replace(name=name, inputs=tuple(inputs))


def inputs_of(outputs: Iterable[Output], kind: str) -> dict[str, Input]:
    """Return the outputs' inputs of one kind, by the recipe's step that made them."""
    every = chain.from_iterable(output.inputs for output in outputs)
    return {each.step: each for each in every if isinstance(each, Input) and each.kind == kind}


def input_of(outputs: Iterable[Output], kind: str) -> Input:
    """Return the only input of a kind."""
    (one,) = inputs_of(outputs, kind).values()
    return one


@dataclass(frozen=True)
class Job:
    """Call ``work(*args, outputs)`` that returns one Written per output. It must pickle."""

    work: Callable[..., list[Written]]
    args: tuple
    outputs: tuple[Output, ...]
    bytes: int = 0  # of input, for the progress bar
    cheap: bool = False  # decides or copies
    threaded: bool = False  # spends its time in kernels, which release Python's lock

    @property
    def inputs(self) -> tuple[Input | RawInput, ...]:
        """All inputs, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(output.inputs for output in self.outputs)))

    @property
    def seconds(self) -> float:
        """Rough estimate of its duration, to decide whether it needs a worker or a Prefect task."""
        return 0.1 + self.bytes / (40e6 if self.cheap else 5e6)

    @property
    def title(self) -> str:
        """Title for progress and errors: ``measure shard part-00003``."""
        work = getattr(self.work, "__name__", type(self.work).__name__)
        return " ".join([work.strip("_").replace("_", " "), *(output.name for output in self.outputs[:1])])


class Engine(Protocol):
    """Function that runs jobs and yields each finished job with its parts, in any order."""

    def __call__(self, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]: ...


class Progress(Protocol):
    """Receiver of progress: a bar on a terminal, lines in a log, nothing in tests."""

    def start(self, title: str, jobs: int, bytes: int) -> None: ...
    def move(self, job: Job, bytes: int) -> None: ...  # of a running job, from any thread
    def advance(self, job: Job) -> None: ...
    def finish(self, title: str, seconds: float, jobs_run: int, counts: dict[str, int]) -> None: ...


@dataclass
class Step:
    """Folders to make, each from its settings and its outputs of the jobs."""

    title: str
    folders: dict[UPath, dict]  # folder -> its settings as JSON
    jobs: list[Job]
    prepare: Callable[[], None] = lambda: None  # called once in this process before the first job
    done: Callable[[dict[UPath, Manifest]], None] = lambda manifests: None  # called before the manifests are written
    joint: Callable[[Part], bool] = lambda part: False  # parts that `done` changed: if any part is lost, made again


def by_shard(
    work: Callable[..., list[Written]], args: tuple, outputs: list[Output], shards: dict[str, int], **about: bool
) -> list[Job]:
    """Return a job for each shard (name -> bytes) that reads and writes the part of that name in every folder.

    ``about`` are ``cheap`` and ``threaded`` of each job.
    """
    return [Job(work, args, tuple(o.part(name) for o in outputs), size, **about) for name, size in shards.items()]


def run_job(job: Job) -> list[Part]:
    """Run a job, then record its finished parts, which later runs skip.

    A transient error is retried. Raises WorkError for any other error of the file system.
    """
    try:
        return retry(lambda: _run_job(job), job.title)
    except OSError as error:
        raise WorkError(f"{job.title}: {told(error)}; finished parts are kept; run again") from error


def release_memory() -> None:
    """Return free memory to the system after the last of several jobs; each would ask for the same pages again."""
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):  # musl has none
        trim(0)


def _run_job(job: Job) -> list[Part]:
    verify_files((each.path, each.sha256) for each in job.inputs if isinstance(each, Input) and each.sha256)
    parts = []
    for output, wrote in zip(job.outputs, job.work(*job.args, job.outputs), strict=True):
        part = Part.from_files(output.folder, output.fingerprint, wrote.names, wrote.counts)
        record_part(output.folder, output.name, part)
        parts.append(part)
    return parts


def run_serial(jobs: Iterable[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """Run jobs one after the other in this process: the engine of tests and of a single worker."""
    for job in jobs:
        yield job, run_job(job)


class NullProgress:
    """Progress that shows nothing."""

    def start(self, *args: Any, **kwargs: Any) -> None: ...

    move = advance = finish = start


class StepResult(NamedTuple):
    """Manifests of a step's folders, and the number of jobs run."""

    manifests: dict[UPath, Manifest]
    jobs_run: int  # 0 if everything was up to date


def run_step(step: Step, engine: Engine = run_serial, progress: Progress | None = None) -> StepResult:
    """Make the step's folders; parts that are up to date are not made again."""
    progress, began, jobs = progress or NullProgress(), time.perf_counter(), []
    step = _fingerprinted(step)
    wanted, names = _parts_of(step), _names(step)
    manifests = {f: m for f in step.folders if (m := _up_to_date(f, names[f]))}
    if len(manifests) < len(step.folders):
        parts = {f: resume(f, wanted[f], step.joint) for f in step.folders if f not in manifests}
        jobs = [job for job in (_without(job, parts) for job in step.jobs) if job.outputs]
        progress.start(step.title, len(jobs), sum(job.bytes for job in jobs))
        _verify_folders(jobs, {str(folder) for folder in step.folders})
        if jobs:
            step.prepare()
        with watched(progress.move):
            for job, results in engine(jobs):
                for output, part in zip(job.outputs, results, strict=True):
                    parts[output.folder][output.name] = part
                progress.advance(job)
        release_memory()
        made = {f: Manifest(names[f], step.folders[f], dict(sorted(parts[f].items()))) for f in parts}
        try:
            step.done(manifests | made)
        except OSError as error:
            raise WorkError(f"{step.title}: {told(error)}; run again") from error
        for folder, manifest in made.items():
            manifest.write(folder)
        manifests |= made
        counts = {key: count for m in made.values() for key, count in m.counts.items()}
        progress.finish(step.title, time.perf_counter() - began, len(jobs), counts)
    return StepResult(manifests, len(jobs))


def fits(step: Step) -> bool:
    """True if all folders of the step are complete and up to date with its inputs and settings."""
    return all(_up_to_date(folder, name) for folder, name in names_of(step).items())


def names_of(step: Step) -> dict[UPath, str]:
    """Return the fingerprint of each folder's dependencies, as its manifest stores it."""
    return _names(_fingerprinted(step))


def set_fingerprints(step: Step, manifests: dict[UPath, Manifest]) -> None:
    """Give manifests and their parts the fingerprints of a step that makes the same parts."""
    step = _fingerprinted(step)
    for (folder, name), parts in zip(_names(step).items(), _parts_of(step).values(), strict=True):
        manifests[folder].fingerprint = name
        for part, made_of in parts.items():
            manifests[folder].parts[part].fingerprint = made_of


def _verify_folders(jobs: list[Job], own: set[str]) -> None:
    """Verify the folders that jobs read as a whole. Raises WorkError for the first damaged file."""
    inputs = chain.from_iterable(job.inputs for job in jobs)
    whole = {str(each.folder): each.folder for each in inputs if isinstance(each, Input) and not each.name}
    for name, folder in whole.items():
        if name not in own:
            require_finished(folder, MADE_BY).verify(folder)


def _fingerprinted(step: Step) -> Step:
    """Return the step with the fingerprint of each output and the checksum of each shard that a job reads.

    In a checkout the sources of the job count too: a developer's change repeats the work that it may change.

    An input is identified by the checksums in its folder's manifest. An input made by this step has none yet and is
    identified by its fingerprint, which covers all of its dependencies.
    """
    own = {str(folder) for folder in step.folders}  # strings: comparing two paths takes 30 µs
    made: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, str]] = {}

    def checksums(folder: UPath) -> dict[str, str]:
        if str(folder) not in found:
            files = require_finished(folder, MADE_BY).files
            by_name = {name: file["sha256"] for name, file in files.items()}
            found[str(folder)] = {**by_name, "": fingerprint(by_name)}
        return found[str(folder)]

    def version(each: Input | RawInput) -> str | tuple:
        if isinstance(each, RawInput):
            return each.version
        if str(each.folder) in own:
            return made[str(each.folder), each.name]
        return checksums(each.folder)[f"{each.name}.parquet" if each.name else ""]

    def with_checksum(each: Input | RawInput) -> Input | RawInput:
        if isinstance(each, RawInput) or not each.name or str(each.folder) in own:
            return each
        return each._replace(sha256=checksums(each.folder)[f"{each.name}.parquet"])

    def with_fingerprint(job: Job, output: Output) -> Output:
        of_step = (each.get(output.step) if isinstance(each, dict) else each for each in job.args)
        code = code_of(job.work, *of_step)
        read = [version(each) for each in output.inputs if not output.version or getattr(each, "name", False)]
        name = fingerprint(output.settings, output.version, read, *code)
        made[str(output.folder), output.name] = name
        return output._replace(fingerprint=name, inputs=tuple(map(with_checksum, output.inputs)))

    jobs = [replace(job, outputs=tuple(with_fingerprint(job, output) for output in job.outputs)) for job in step.jobs]
    return replace(step, jobs=jobs)


def _names(step: Step) -> dict[UPath, str]:
    return {folder: fingerprint(step.folders[folder], parts) for folder, parts in _parts_of(step).items()}


def _parts_of(step: Step) -> dict[UPath, dict[str, str]]:
    wanted: dict[UPath, dict[str, str]] = {folder: {} for folder in step.folders}
    for job in step.jobs:
        for output in job.outputs:
            wanted[output.folder][output.name] = output.fingerprint
    return wanted


def _without(job: Job, parts: dict[UPath, dict[str, Part]]) -> Job:
    """Return the job without the outputs that exist already."""
    return replace(job, outputs=tuple(o for o in job.outputs if o.folder in parts and o.name not in parts[o.folder]))


def _up_to_date(folder: UPath, name: str) -> Manifest | None:
    manifest = Manifest.read(folder)
    if not manifest or manifest.fingerprint != name or not all(p.has_files(folder) for p in manifest.parts.values()):
        return None
    clear_progress(folder)
    return manifest
