"""Plan of a run: the steps that a recipe needs in a work folder, in order.

Steps are yielded lazily, since the jobs of a step depend on the shards of the steps before it. Per-document steps
measure *every* document, so that one read of a shard serves all of them and a new threshold needs no new measures.
Documents are dropped afterwards, in the recipe's order. Only a corpus step that rewrites text ends a pass: the steps
after it measure the text that it left.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import cast

import pyarrow as pa
from upath import UPath

from gristmill.dedup.index import IndexedStep
from gristmill.filters.core.decide import decide_shard
from gristmill.filters.core.filter import LANGUAGE, Filter, Rewriter, provider
from gristmill.filters.core.measure import measure_shard
from gristmill.filters.join.step import Join, index_joined
from gristmill.flows.clean.columns import check_column, check_split
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.inputs.column_types import holds_strings
from gristmill.pipelines.plugins import plugin_code
from gristmill.pipelines.schema import (
    COLUMN_SPANS,
    COLUMNS,
    COPIES,
    DECISIONS,
    DOCUMENT,
    DOCUMENTS,
    LINKS,
    MEASURES,
    SPANS,
)
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.steps.apply import apply_shard
from gristmill.pipelines.steps.copies import count_copies
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, decide_corpus
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.steps.links import link_duplicates
from gristmill.pipelines.steps.step import Input, Job, Output, RawInput, Step, by_shard
from gristmill.pipelines.storage.manifest import fingerprint, require_finished
from gristmill.pipelines.storage.shards import shard_schema, shards_of


def plan(recipe: Recipe, work: UPath) -> Iterator[Step]:
    """Yield the steps from raw files to clean documents; each must be finished before the next is requested."""
    yield ingest_step(work, recipe.input)
    documents = shards_of(work / DOCUMENTS)
    check_split(recipe.output.split_by, recipe.columns, schemas(work / DOCUMENTS, documents), "[output]")
    for chain in passes(recipe.steps):
        for name in chain:
            if isinstance(step := recipe.steps[name], Join):
                yield index_step(work, name, step)
        yield measure_step(recipe, work, documents, chain)
        for over_corpus, names in groupby(chain, key=lambda name: isinstance(recipe.steps[name], CorpusStep)):
            if over_corpus:
                for name in names:
                    yield from corpus_steps(recipe, work, documents, name)
            else:
                yield decide_step(recipe, work, documents, list(names))
    if names := naming_steps(recipe):
        yield link_step(recipe, work, documents, names)
    if counts_copies(recipe):
        yield copies_step(work, documents)
    for name, column in recipe.columns.items():
        for schema in schemas(work / column.folder, documents):
            check_column(name, column, schema, recipe.output.split_by, "[output]")
    yield apply_step(recipe, work, documents)


def passes(steps: Mapping[str, Settings]) -> Iterator[list[str]]:
    """Yield the names of the steps of each pass, which ends with a corpus step that rewrites text."""
    chain: list[str] = []
    for name, step in steps.items():
        chain.append(name)
        if isinstance(step, CorpusStep) and step.rewrites:
            yield chain
            chain = []
    if chain:
        yield chain


def rewrites(step: Settings) -> bool:
    """True if the step writes spans."""
    return isinstance(step, Rewriter) or (isinstance(step, CorpusStep) and step.rewrites)


def schemas(folder: UPath, documents: Iterable[str]) -> list[pa.Schema]:
    """Return the one schema of the shards of a folder, or none without shards."""
    return [shard_schema(folder / f"{part}.parquet") for part in [*documents][:1]]


def naming_steps(recipe: Recipe) -> list[str]:
    """Return the names of the steps that name a duplicate for a document that they remove."""
    return [name for name, step in recipe.steps.items() if isinstance(step, IndexedStep)]


def counts_copies(recipe: Recipe) -> bool:
    """True if clean documents have a column that counts or describes their copies."""
    return any(column.folder == COPIES for column in recipe.columns.values())


def bytes_of(documents: dict[str, dict]) -> dict[str, int]:
    """Return the size of each shard."""
    return {part: shard["bytes"] for part, shard in documents.items()}


def measures_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / MEASURES


def spans_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / SPANS


def decisions_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / DECISIONS


def table_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / "table"


def version_of(folder: UPath) -> str:
    """Return a fingerprint of the contents of a finished folder, which are verified."""
    manifest = require_finished(folder, "run again")
    manifest.verify(folder)
    return fingerprint({name: file["sha256"] for name, file in manifest.files.items()})


def report_of(work: UPath, name: str, report: str) -> UPath:
    return work / "steps" / name / report


def earlier_than(recipe: Recipe, name: str) -> list[str]:
    """Return the names of the steps before one, in order."""
    names = list(recipe.steps)
    return names[: names.index(name)]


def language_step(recipe: Recipe, name: str) -> str | None:
    """Return the step whose language chooses the profiles for another: the last one up to the end of its pass."""
    seen: dict[str, Settings] = {}
    for chain in passes(recipe.steps):
        seen |= {other: recipe.steps[other] for other in chain}
        if name in chain:
            break
    return provider(seen, LANGUAGE)


def spans_before(recipe: Recipe, work: UPath, name: str | None = None) -> list[Input]:
    """Return the spans that turn documents into the text a step sees; without a name, into the clean text."""
    names = recipe.steps if name is None else earlier_than(recipe, name)
    return [Input(spans_of(work, other), "", SPANS, other) for other in names if rewrites(recipe.steps[other])]


def labels_of(work: UPath, name: str | None) -> list[Input]:
    """Return the measures in which a step gives the language of each document, as an input; none without a step."""
    return [Input(measures_of(work, name), "", LANGUAGE, name)] if name else []


def index_step(work: UPath, name: str, step: Join) -> Step:
    """Return the step that writes the table of a join, which is one job for all joined files."""
    files, settings = step.files(), step.measured_settings()
    read: list[Input | RawInput] = [RawInput(file.url, file.sha256) for file in files]
    output = Output(table_of(work, name), "table", tuple(read), settings)
    job = Job(index_joined, (step, files), (output,), sum(file.size for file in files))
    return Step(f"index {name}", {output.folder: settings}, [job])


def measure_step(recipe: Recipe, work: UPath, documents: dict[str, dict], chain: list[str]) -> Step:
    """Return the step that measures for all steps of one pass, one job per shard."""
    folders, outputs, seen = {}, [], {name: recipe.steps[name] for name in earlier_than(recipe, chain[0])}
    for name in chain:
        step, settings = recipe.steps[name], recipe.steps[name].measured_settings()
        labels = labels_of(work, provider(seen, LANGUAGE)) if LANGUAGE in step.NEEDS else []
        read = (Input(work / DOCUMENTS, "", DOCUMENTS), *spans_before(recipe, work, name), *labels)
        inputs: tuple[Input | RawInput, ...] = read
        if isinstance(step, Join):
            table = table_of(work, name)
            step, inputs = step.with_table(table), (*inputs, RawInput(str(table), version_of(table)))
        for kind in _measured_kinds(step, name, documents, work):
            folders[folder := report_of(work, name, kind)] = settings
            made_with = [settings, recipe.words, *plugin_code(type(step))]
            outputs.append(Output(folder, "", inputs, made_with, kind, name))
        seen[name] = step
    title = "measure" if chain[0] == next(iter(recipe.steps)) else f"measure {chain[0]}"
    in_kernels = recipe.words == "unicode" and not any(plugin_code(type(recipe.steps[name])) for name in chain)
    jobs = by_shard(measure_shard, (seen, recipe.words), outputs, bytes_of(documents), threaded=in_kernels)
    return Step(title, folders, jobs)


def _measured_kinds(step: Settings, name: str, documents: dict[str, dict], work: UPath) -> list[str]:
    """Return the kinds of tables that measuring writes. Raises RecipeError for a column that cannot be rewritten."""
    if not isinstance(step, Rewriter):
        return [MEASURES]
    for part in [*documents][:1] if step.other_columns else ():
        schema = shard_schema(work / DOCUMENTS / f"{part}.parquet")
        carried = sorted(field.name for field in schema if holds_strings(field) and field.name not in DOCUMENT.names)
        for column in step.other_columns:
            if column in schema.names and column not in carried:
                why = f"{column!r} holds no plain strings; `drop` in [input] removes it"
                raise RecipeError(f"[steps.{name}] columns: {why}")
            if column not in carried:
                hint = nearest(column, carried) if carried else "no carried column holds strings"
                raise RecipeError(f"[steps.{name}] columns: no column {column!r} in the documents; {hint}")
    return [MEASURES, SPANS, *([COLUMN_SPANS] if step.other_columns else [])]


def decide_step(recipe: Recipe, work: UPath, documents: dict[str, dict], names: list[str]) -> Step:
    """Return the step that applies the rules of filters to their measures, one job per shard."""
    folders, outputs = {}, []
    for name in names:
        step, labels = cast(Filter, recipe.steps[name]), labels_of(work, language_step(recipe, name))
        measures = Input(measures_of(work, name), "", MEASURES, name)
        inputs = (Input(work / DOCUMENTS, "", DOCUMENTS), measures, *labels)
        folders[folder := decisions_of(work, name)] = step.model_dump(mode="json")
        made_with = (
            [step.decided_settings(), *plugin_code(type(step))] if plugin_code(type(step)) else step.decided_settings()
        )
        outputs.append(Output(folder, "", inputs, made_with, DECISIONS, name))
    jobs = by_shard(decide_shard, (recipe.steps,), outputs, dict.fromkeys(documents, 0), cheap=True)
    return Step(f"decide {', '.join(names)}", folders, jobs)


def corpus_steps(recipe: Recipe, work: UPath, documents: dict[str, dict], name: str) -> Iterator[Step]:
    """Yield the stages of a step over the corpus, then its decision, which is one job for all shards."""
    step, settings = cast(CorpusStep, recipe.steps[name]), recipe.steps[name].model_dump(mode="json")
    before = [each.folder for each in spans_before(recipe, work, name)]
    earlier = [decisions_of(work, other) for other in earlier_than(recipe, name)]
    corpus = Corpus(work / DOCUMENTS, measures_of(work, name), list(documents), partial(survivors, earlier), before)
    text = [*map(Input, (corpus.documents, corpus.measures, *before)), *step.inputs()]
    whole = [*text, *map(Input, earlier)]
    made_of = [step.input_fingerprint(), *plugin_code(type(step))]
    stages: list[Input] = []
    for stage in step.STAGES:
        folder, made_with, jobs = corpus.stage_folder / stage, step.staged_settings(stage), []
        for names, function, args, size, shard in step.stage(stage, corpus) if documents else ():
            own = [Input(each, shard) for each in (corpus.documents, *before)] if shard else []
            outputs = (
                Output(folder, piece, (*(own if version else whole), *stages), [made_with, *made_of], version=version)
                for piece, version in names.items()
            )
            size = size or documents.get(shard, {"bytes": 0})["bytes"]
            jobs.append(Job(function, args, tuple(outputs), size, cheap=True, threaded=True))
        yield Step(f"{name} {stage}", {folder: made_with}, jobs)
        stages.append(Input(folder))
    inputs = (*(text if step.DECIDES_BY_STAGES else whole), *stages)
    targets = {DECISIONS: decisions_of(work, name)} | ({SPANS: spans_of(work, name)} if step.rewrites else {})
    targets |= {report: report_of(work, name, report) for report in step.REPORTS}
    decided = [Output(folder, "", inputs, [settings, *made_of], kind) for kind, folder in targets.items()]
    outputs = tuple(output._replace(name=part) for output in decided for part in documents)
    jobs = [Job(decide_corpus, (step, corpus), outputs)] if documents else []
    yield Step(f"decide {name}", dict.fromkeys(targets.values(), settings), jobs)


def link_step(recipe: Recipe, work: UPath, documents: dict[str, dict], naming: list[str]) -> Step:
    """Return the step that finds the kept document of each duplicate, which is one job for all shards.

    ``naming`` are the steps that name documents.
    """
    folders = [decisions_of(work, name) for name in recipe.steps]
    outputs = tuple(Output(work / LINKS, part, tuple(map(Input, folders)), naming) for part in documents)
    job = Job(link_duplicates, (folders, [decisions_of(work, name) for name in naming], list(documents)), outputs)
    return Step("link duplicates", {work / LINKS: {"steps": naming}}, [job] if documents else [])


def copies_step(work: UPath, documents: dict[str, dict]) -> Step:
    """Return the step that counts the copies of each document, which is one job for all shards."""
    inputs = Input(work / DOCUMENTS), Input(work / LINKS)
    outputs = tuple(Output(work / COPIES, part, inputs) for part in documents)
    job = Job(count_copies, (work / DOCUMENTS, work / LINKS, list(documents)), outputs)
    return Step("count copies", {work / COPIES: {}}, [job] if documents else [])


def apply_step(recipe: Recipe, work: UPath, documents: dict[str, dict]) -> Step:
    """Return the step that writes kept and removed documents and the ledger that explains both, one job per shard."""
    decided = [Input(decisions_of(work, name), "", DECISIONS, name) for name in recipe.steps]
    links = [Input(work / LINKS, "", LINKS)] if naming_steps(recipe) else []
    others = [
        Input(report_of(work, name, COLUMN_SPANS), "", COLUMN_SPANS, name)
        for name, step in recipe.steps.items()
        if isinstance(step, Rewriter) and step.other_columns
    ]
    inputs = (Input(work / DOCUMENTS, "", DOCUMENTS), *decided, *spans_before(recipe, work), *others, *links)
    names = [(each.kind, each.step) for each in inputs]  # which the ledger holds
    outputs = [Output(work / kind, "", inputs, names, kind) for kind in ("clean", "removed", "ledger")]
    columns, split_by = recipe.columns, recipe.output.split_by
    tables = [Input(work / folder, "", COLUMNS, folder) for folder in dict.fromkeys(c.folder for c in columns.values())]
    clean_settings = [names, [[name, *column] for name, column in columns.items()], split_by]
    outputs[0] = outputs[0]._replace(inputs=(*inputs, *tables), settings=clean_settings)
    jobs = by_shard(apply_shard, (columns, split_by), outputs, bytes_of(documents), cheap=True)
    settings = {"steps": list(recipe.steps)}
    return Step("apply", {output.folder: settings for output in outputs}, jobs)
