"""What is to be done, in which order: a recipe and a work folder become steps.

Steps come lazily, each made when those before it are finished, because what a step depends on is the checksums they
left. Per-document steps measure *every* document, whatever the others decide, so one read of a shard serves them all
and a changed threshold measures nothing anew; who stays is decided afterwards, in the recipe's order.
"""

from collections.abc import Iterator
from functools import partial
from itertools import groupby

from upath import UPath

from dedup.exact import Exact, decide_exact
from filters.decide import decide_shard
from filters.filter import Rewriter
from filters.measure import LANGUAGE, SPANS, measure_shard, warm_up
from flows.apply import apply_shard
from flows.recipe import Recipe
from pipelines import spans
from pipelines.ingest import ingest_step
from pipelines.manifest import Manifest, fingerprint
from pipelines.step import Job, Output, Step


def plan(recipe: Recipe, work: UPath) -> Iterator[Step]:
    """The steps from raw files to clean documents. Ask for the next one only when the last is finished."""
    yield ingest_step(work, recipe.input)
    documents = shards_of(work / "documents")
    if recipe.steps:
        yield measure_step(recipe, work, documents)
    for kind, names in groupby(recipe.steps, key=lambda name: isinstance(recipe.steps[name], Exact)):
        if kind:
            yield from (exact_step(recipe, work, documents, name) for name in names)
        else:
            yield decide_step(recipe, work, documents, list(names))
    yield apply_step(recipe, work, documents)


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


def measure_step(recipe: Recipe, work: UPath, documents: dict[str, dict]) -> Step:
    """All measures of all per-document steps, one job a shard."""
    folders, depends, text = {}, {}, []  # text: what its version so far was made by
    labels = recipe.steps[LANGUAGE].measured_settings() if LANGUAGE in recipe.steps else None
    for name, step in recipe.steps.items():
        settings = step.measured_settings()
        depends[name] = [settings, recipe.words, labels, list(text)]
        folders[measures_of(work, name)] = settings
        if isinstance(step, Rewriter):
            folders[spans_of(work, name)] = settings
            depends[name + SPANS] = depends[name]
            text.append(settings)
    places = {
        key: spans_of(work, key.removesuffix(SPANS)) if key.endswith(SPANS) else measures_of(work, key)
        for key in depends
    }
    jobs = []
    for part, shard in documents.items():
        outputs = tuple(Output(places[k], part, fingerprint(shard["sha256"], *depends[k]), k) for k in depends)
        labelled = measures_of(work, LANGUAGE) / f"{part}.parquet"
        args = (recipe.steps, recipe.words, work / "documents" / f"{part}.parquet", labelled)
        jobs.append(Job(measure_shard, args, outputs, shard["bytes"]))
    return Step("measure", folders, jobs, prepare=partial(warm_up, recipe.steps, recipe.words))


def decide_step(recipe: Recipe, work: UPath, documents: dict[str, dict], names: list[str]) -> Step:
    """Rules over measures, for filters that judge a document alone: one job a shard."""
    measured = {name: shards_of(measures_of(work, name)) for name in {*names, LANGUAGE} & recipe.steps.keys()}
    folders = {decisions_of(work, name): recipe.steps[name].model_dump(mode="json") for name in names}
    jobs = []
    for part in documents:
        labels = measured[LANGUAGE][part]["sha256"] if LANGUAGE in measured else None
        outputs = tuple(
            Output(
                decisions_of(work, name),
                part,
                fingerprint(measured[name][part]["sha256"], labels, recipe.steps[name].decided_settings()),
                name,
            )
            for name in names
        )
        measures = {name: measures_of(work, name) / f"{part}.parquet" for name in measured}
        chain = {name: recipe.steps[name] for name in names}
        jobs.append(Job(decide_shard, (chain, work / "documents" / f"{part}.parquet", measures), outputs))
    return Step("decide", folders, jobs)


def exact_step(recipe: Recipe, work: UPath, documents: dict[str, dict], name: str) -> Step:
    """Exact duplicates among what the steps before ``name`` left: one job over all shards."""
    step, order = recipe.steps[name], list(recipe.steps)
    earlier = [decisions_of(work, n) for n in order[: order.index(name)]]
    inputs = [*earlier, measures_of(work, name), work / "documents"]
    depends = fingerprint([sorted(shards_of(folder).items()) for folder in inputs], step.model_dump(mode="json"))
    outputs = tuple(Output(decisions_of(work, name), part, depends, name) for part in documents)
    args = (step, work / "documents", measures_of(work, name), earlier, list(documents))
    job = Job(decide_exact, args, outputs)
    return Step(f"decide {name}", {decisions_of(work, name): step.model_dump(mode="json")}, [job] if documents else [])


def apply_step(recipe: Recipe, work: UPath, documents: dict[str, dict]) -> Step:
    """Reasons and spans to documents: what stays, what went and why, and the ledger of both; one job a shard."""
    decided = {name: decisions_of(work, name) for name in recipe.steps}
    rewritten = {name: spans_of(work, name) for name, step in recipe.steps.items() if isinstance(step, Rewriter)}
    shas = {folder: shards_of(folder) for folder in [*decided.values(), *rewritten.values()]}
    targets = {key: work / key for key in ("clean", "removed", "ledger")}
    jobs = []
    for part, shard in documents.items():
        depends = fingerprint(
            shard["sha256"], list(decided), list(rewritten), [s[part]["sha256"] for s in shas.values()]
        )
        outputs = tuple(Output(folder, part, depends, key) for key, folder in targets.items())
        args = (work / "documents" / f"{part}.parquet", decided, rewritten)
        jobs.append(Job(apply_shard, args, outputs, shard["bytes"]))
    settings = {"steps": list(recipe.steps)}
    return Step("apply", dict.fromkeys(targets.values(), settings), jobs, prepare=spans.warm_up)
