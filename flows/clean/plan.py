"""What is to be done, in which order: a recipe and a work folder become steps.

Steps come lazily, each made when those before it are finished, because what a step depends on is the checksums they
left. Per-document steps measure *every* document, whatever the others decide, so one read of a shard serves them all
and a changed threshold measures nothing anew; who stays is decided afterwards, in the recipe's order. Only a step
that rewrites text by what it saw of the whole corpus ends a pass: those after it measure what it left.
"""

from collections.abc import Iterator
from functools import partial
from itertools import groupby

from upath import UPath

from gristmill.filters.core.decide import decide_shard
from gristmill.filters.core.filter import Rewriter
from gristmill.filters.core.measure import LANGUAGE, SPANS, compile_kernels, measure_shard
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.settings import Settings
from gristmill.pipelines.steps import spans
from gristmill.pipelines.steps.apply import apply_shard
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CUTS, DECISIONS, CorpusStep, decide_corpus
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.steps.step import Job, Output, Step
from gristmill.pipelines.storage.manifest import Manifest, fingerprint

SMALL = 500_000  # bytes of a stage's input that are worth no worker


def plan(recipe: Recipe, work: UPath) -> Iterator[Step]:
    """The steps from raw files to clean documents. Ask for the next one only when the last is finished."""
    yield ingest_step(work, recipe.input)
    documents = shards_of(work / "documents")
    for chain in passes(recipe.steps):
        yield measure_step(recipe, work, documents, chain)
        for over_corpus, names in groupby(chain, key=lambda name: isinstance(recipe.steps[name], CorpusStep)):
            if over_corpus:
                for name in names:
                    yield from corpus_steps(recipe, work, documents, name)
            else:
                yield decide_step(recipe, work, documents, list(names))
    yield apply_step(recipe, work, documents)


def passes(steps: dict[str, Settings]) -> Iterator[list[str]]:
    """The names of the steps, cut behind each that rewrites by what it saw of the whole corpus."""
    chain = []
    for name, step in steps.items():
        chain.append(name)
        if isinstance(step, CorpusStep) and step.rewrites:
            yield chain
            chain = []
    if chain:
        yield chain


def rewrites(step: Settings) -> bool:
    """Does the step leave spans?"""
    return isinstance(step, Rewriter) or (isinstance(step, CorpusStep) and step.rewrites)


def shards_of(folder: UPath) -> dict[str, dict]:
    """The shards of a finished folder: name without suffix -> size and checksum."""
    files = Manifest.read(folder).files
    return {name.removesuffix(".parquet"): file for name, file in files.items() if name.endswith(".parquet")}


def measures_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / "measures"


def spans_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / "spans"


def decisions_of(work: UPath, name: str) -> UPath:
    return work / "steps" / name / "decisions"


def report_of(work: UPath, name: str, report: str) -> UPath:
    return work / "steps" / name / report


def earlier_than(recipe: Recipe, name: str) -> list[str]:
    """The steps before one, in order."""
    names = list(recipe.steps)
    return names[: names.index(name)]


def spans_before(recipe: Recipe, work: UPath, name: str) -> list[UPath]:
    """Where the spans lie that make the text a step sees out of the documents."""
    return [spans_of(work, other) for other in earlier_than(recipe, name) if rewrites(recipe.steps[other])]


def checksums(folder: UPath) -> list[str]:
    return [shard["sha256"] for _, shard in sorted(shards_of(folder).items())]


def measure_step(recipe: Recipe, work: UPath, documents: dict[str, dict], chain: list[str]) -> Step:
    """All measures of the steps of one pass, one job a shard."""
    steps = {name: recipe.steps[name] for name in chain}
    before = spans_before(recipe, work, chain[0])
    labels = recipe.steps[LANGUAGE].measured_settings() if LANGUAGE in recipe.steps else None
    folders, depends, text = {}, {}, []  # text: what its version so far was made by
    for name, step in steps.items():
        settings = step.measured_settings()
        depends[name] = [settings, recipe.words, labels, list(text)]
        folders[measures_of(work, name)] = settings
        if isinstance(step, Rewriter):
            folders[spans_of(work, name)] = settings
            depends[name + SPANS] = depends[name]
            text.append(settings)
    places = {k: spans_of(work, k.removesuffix(SPANS)) if k.endswith(SPANS) else measures_of(work, k) for k in depends}
    cuts = [shards_of(folder) for folder in before]
    jobs = []
    for part, shard in documents.items():
        made_of = [shard["sha256"], [cut[part]["sha256"] for cut in cuts]]
        outputs = tuple(Output(places[k], part, fingerprint(made_of, *depends[k]), k) for k in depends)
        paths = [folder / f"{part}.parquet" for folder in (work / "documents", measures_of(work, LANGUAGE), *before)]
        jobs.append(Job(measure_shard, (steps, recipe.words, *paths[:2], paths[2:]), outputs, shard["bytes"]))
    title = "measure" if chain[0] == next(iter(recipe.steps)) else f"measure {chain[0]}"
    return Step(title, folders, jobs, prepare=partial(compile_kernels, steps, recipe.words))


def decide_step(recipe: Recipe, work: UPath, documents: dict[str, dict], names: list[str]) -> Step:
    """Rules over measures, for filters that judge a document alone: one job a shard."""
    measured = {name: shards_of(measures_of(work, name)) for name in {*names, LANGUAGE} & recipe.steps.keys()}
    chain = {name: recipe.steps[name] for name in names}
    jobs = []
    for part in documents:
        labels = measured[LANGUAGE][part]["sha256"] if LANGUAGE in measured else None
        outputs = []
        for name, step in chain.items():
            depends = fingerprint(measured[name][part]["sha256"], labels, step.decided_settings())
            outputs.append(Output(decisions_of(work, name), part, depends, name))
        measures = {name: measures_of(work, name) / f"{part}.parquet" for name in measured}
        args = (chain, work / "documents" / f"{part}.parquet", measures)
        jobs.append(Job(decide_shard, args, tuple(outputs), light=True))
    folders = {decisions_of(work, name): step.model_dump(mode="json") for name, step in chain.items()}
    return Step(f"decide {', '.join(names)}", folders, jobs)


def corpus_steps(recipe: Recipe, work: UPath, documents: dict[str, dict], name: str) -> Iterator[Step]:
    """A step over the corpus, on what the steps before it left: its stages, then one job for all shards."""
    step, settings = recipe.steps[name], recipe.steps[name].model_dump(mode="json")
    measures, before = measures_of(work, name), spans_before(recipe, work, name)
    earlier = [decisions_of(work, other) for other in earlier_than(recipe, name)]
    sources = [checksums(folder) for folder in (work / "documents", measures, *earlier, *before)]
    corpus = Corpus(work / "documents", measures, list(documents), partial(survivors, earlier), before)
    for stage in step.STAGES:
        folder, made_with = corpus.stage_folder / stage, step.staged_settings(stage)
        depends, jobs = fingerprint(sources, made_with, step.made_of()), []
        for piece, function, args, size in step.stage(stage, corpus) if documents else ():
            size = size or documents.get(piece, {"bytes": 0})["bytes"]
            jobs.append(Job(function, args, (Output(folder, piece, depends),), size, light=size < SMALL))
        yield Step(f"{name} {stage}", {folder: made_with}, jobs, prepare=partial(step.warm_up, stage))
    depends = fingerprint(sources, settings, step.made_of())
    targets = {DECISIONS: decisions_of(work, name)} | ({CUTS: spans_of(work, name)} if step.rewrites else {})
    targets |= {report: report_of(work, name, report) for report in step.REPORTS}
    outputs = tuple(Output(folder, part, depends, key) for key, folder in targets.items() for part in documents)
    jobs = [Job(decide_corpus, (step, corpus), outputs)] if documents else []
    yield Step(f"decide {name}", dict.fromkeys(targets.values(), settings), jobs)


def apply_step(recipe: Recipe, work: UPath, documents: dict[str, dict]) -> Step:
    """Reasons and spans to documents: what stays, what went and why, and the ledger of both; one job a shard."""
    decided = {name: decisions_of(work, name) for name in recipe.steps}
    rewritten = {name: spans_of(work, name) for name, step in recipe.steps.items() if rewrites(step)}
    made_of = [shards_of(folder) for folder in [*decided.values(), *rewritten.values()]]
    targets = {key: work / key for key in ("clean", "removed", "ledger")}
    jobs = []
    for part, shard in documents.items():
        sources = [shards[part]["sha256"] for shards in made_of]
        depends = fingerprint(shard["sha256"], list(decided), list(rewritten), sources)
        outputs = tuple(Output(folder, part, depends, key) for key, folder in targets.items())
        args = (work / "documents" / f"{part}.parquet", decided, rewritten)
        jobs.append(Job(apply_shard, args, outputs, shard["bytes"], light=True))
    settings = {"steps": list(recipe.steps)}
    return Step("apply", dict.fromkeys(targets.values(), settings), jobs, prepare=spans.compile_kernels)
