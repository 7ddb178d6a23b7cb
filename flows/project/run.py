"""Run of a recipe to its end: clean, then the stages of its sections, each skipped where it is done."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from upath import UPath

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.run_lock import RECIPE, SUMMARY, exclusive_run
from gristmill.flows.project.sections import ReportSettings, Sections, trained_on
from gristmill.flows.publish.export import ExportSettings as DocumentExport
from gristmill.flows.publish.export import export_corpus
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.flows.tokenize.train_tokenizer import train_tokenizer
from gristmill.flows.tokenize.use_tokenizer import UsedTokenizer, use_tokenizer
from gristmill.pipelines.schema import DOCUMENTS
from gristmill.pipelines.sources import code_of
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step
from gristmill.pipelines.storage.files import checksum, to_path
from gristmill.pipelines.storage.manifest import MANIFEST, fingerprint
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pipelines.tokens.export_formats import export_step
from gristmill.tokenizers_lab.formats.model import Model

MADE = "report.json"  # in the work folder: fingerprint and checksum of the page of the report
PLACES = "tokenizers", "tokens", "export", "runs"  # folders of a work folder: a folder by name in each
Say = Callable[[str], None]


class Counted:
    """Progress that counts the jobs run; `tell` prints a line about work that is no job."""

    def __init__(self, inner: Any, say: Say):
        self.inner, self.say, self.jobs = inner, say, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def advance(self, *args: Any) -> None:
        self.jobs += 1
        self.inner.advance(*args)

    def tell(self, line: str) -> None:
        self.jobs += 1
        self.say(line)


class Stage(NamedTuple):
    """Stage of a run: ``work(engine, progress)`` makes a folder or a page, unless that is done."""

    name: str
    about: str
    makes: str
    work: Callable[[Engine, Any], Any]


class Outcome(NamedTuple):
    """Result of a run: the summary of the cleaning, and the number of jobs, which is 0 if all was done before."""

    summary: dict[str, Any]
    jobs: int


def run_recipe(
    recipe: Recipe,
    sections: Sections,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    say: Say = lambda line: None,
) -> Outcome:
    """Run a recipe to its end. Finished work that still fits is not repeated.

    ``say`` gets the plan, a line for each stage, and each stage's time when it has ended.
    """
    counted = Counted(progress or NullProgress(), say)
    stages = list(plan_stages(recipe, sections, work))
    name, about = max(len(stage.name) for stage in stages), max(len(stage.about) for stage in stages)
    for stage in stages:
        say(f"{stage.name:<{name}}  {stage.about:<{about}}  {stage.makes}")

    def run(stage: Stage) -> None:
        began, before = time.perf_counter(), counted.jobs
        stage.work(engine, counted)
        seconds = time.perf_counter() - began
        say(f"{stage.name:<{name}}  {f'done in {seconds:,.1f} s' if counted.jobs > before else 'up to date'}")

    cleaning, *later = stages
    run(cleaning)  # holds the lock of the work folder itself
    if later:
        with exclusive_run(work, recipe=recipe.table()):
            for stage in later:
                run(stage)
    return Outcome(read_sealed(work / SUMMARY, "run again"), counted.jobs)


def plan_stages(recipe: Recipe, sections: Sections, work: UPath) -> Iterator[Stage]:
    """Yield the stages of a recipe, in order."""
    corpus, (tokenizers, tokens, exports, runs) = [str(work)], (work / name for name in PLACES)
    yield Stage("clean", f"{len(recipe.steps)} steps", f"{work / 'clean'}", partial(clean, recipe, work))
    for name, settings in sections.tokenizers.items():
        folder, size = tokenizers / name, f"{sections.vocab_size(name):,} pieces"
        if isinstance(settings, UsedTokenizer):
            about, run = settings.use, partial(_use, sections.models[name], settings, folder)
        else:
            about, run = settings.algorithm, partial(train_tokenizer, corpus, folder, settings)
        yield Stage(f"tokenizer {name}", f"{about}, {size}", str(folder), run)
    if sections.tokens:
        for name in sections.tokenizers:
            made = partial(tokenize, corpus, str(tokenizers / name), tokens / name, sections.tokens)
            yield Stage(f"tokens {name}", f"ids of {name}", str(tokens / name), made)
    if export := sections.export:
        for format in dict.fromkeys(export.documents):
            folder, documents = exports / DOCUMENTS / format, DocumentExport(format=format, license=export.license)
            yield Stage(f"export {DOCUMENTS}", format, str(folder), partial(_export_documents, work, folder, documents))
    if formats := list(dict.fromkeys(export.formats if export else ())):
        for name in sections.tokenizers:
            made = partial(_export, tokens / name, formats, exports / name)
            yield Stage(f"export {name}", ", ".join(formats), str(exports / name), made)
    if pretrain := sections.pretrain:
        name, folder = trained_on(sections), runs / pretrain.preset
        about = f"{pretrain.preset} on {name}, {pretrain.training().steps:,} steps"
        yield Stage("pretrain", about, str(folder), partial(_pretrain, tokens / name, pretrain, folder))
    if sections.report:
        from gristmill.flows.report.html import PAGE

        page = to_path(sections.report.output) if sections.report.output else work / PAGE
        yield Stage("report", "one HTML page", str(page), partial(_report, work, sections.report, page))


def _use(model: Model, settings: UsedTokenizer, folder: UPath, engine: Engine, progress: Counted) -> None:
    use_tokenizer(model, settings, folder, progress)


def _export(tokens: UPath, formats: Sequence[str], folder: UPath, engine: Engine, progress: Counted) -> None:
    for format in formats:
        run_step(export_step(tokens, format, folder / format), run_serial, progress)


def _export_documents(work: UPath, folder: UPath, settings: DocumentExport, engine: Engine, progress: Counted) -> None:
    with exclusive_run(folder.parent):
        export_corpus(work, folder, settings, engine, progress)


def _pretrain(tokens: UPath, settings: Any, folder: UPath, engine: Engine, progress: Counted) -> None:
    from gristmill.flows.models.pretraining import progress_line, train_model

    def on_replace(differing: str) -> None:
        progress.tell(f"{folder} had another {differing}: the new model replaces the old one")

    train_model(str(tokens), str(folder), settings, lambda line: progress.tell(progress_line(line)), on_replace)


def _report(work: UPath, settings: ReportSettings, page: UPath, engine: Engine, progress: Counted) -> None:
    """Write the report, unless the page is there and was made from the same contents of the work folder."""
    from gristmill.flows.report.html import PAGE, report

    experiment = to_path(settings.impact) if settings.impact else None
    made, found = {"fingerprint": _contents(work, experiment), "page": settings.output or PAGE}, {}
    if page.exists() and (work / MADE).exists():
        found = read_sealed(work / MADE, "remove it and run again")
        made["sha256"] = checksum(page)
    if found == made:
        return
    size = report(work, page, experiment)
    write_sealed(work / MADE, made | {"sha256": checksum(page)})
    progress.tell(f"{page}  {size / 1e6:.1f} MB")


def _contents(work: UPath, experiment: UPath | None) -> str:
    """Return a fingerprint of all that the report shows: the finished folders of a work folder, by their manifests."""
    from gristmill.flows.report.html import report

    folders = [work / "impact" if experiment is None else experiment]
    folders += [work / name for name in ("documents", "rejects", "clean", "removed", "ledger", "steps", *PLACES)]
    manifests = sorted(file for folder in folders if folder.is_dir() for file in folder.rglob(MANIFEST))
    files = [work / RECIPE, work / SUMMARY, *manifests]
    return fingerprint([[str(file).removeprefix(str(work)), checksum(file)] for file in files], code_of(report))
