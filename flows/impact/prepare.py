"""Preparation of an experiment: hold out text, clean each variant, measure overlap, tokenize.

IMPACT/cleaning/     work folder of all variants in turn, so that equal measures are taken once
IMPACT/arms/NAME/    summary of cleaning and distinct text (summary.json), overlap of each candidate (overlap.parquet)
IMPACT/tokens/NAME/  token shards; eval-TOKENIZER for the evaluation sets
"""

import orjson
import polars as pl
from upath import UPath

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.impact.arms import ONE, Arm, folder_of
from gristmill.flows.impact.documents.choose import Choice, choose_step
from gristmill.flows.impact.documents.distinct import distinct_shares
from gristmill.flows.impact.documents.sample import sample_step
from gristmill.flows.impact.eval_sets import candidates_step, eval_sets_step, overlap, split_step
from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.recipe import OWN_SETS, Heldout
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.flows.tokenize.train_tokenizer import load_encoder, tokenizer_settings, train_tokenizer
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.steps.step import Engine, Input, Job, Output, Progress, RawInput, Step, Written, fits, run_step
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import fingerprint, require_finished
from gristmill.pipelines.storage.shards import list_shards, read_shard
from gristmill.pipelines.tokens.settings import TokenSettings

MIN_PIECES = 10  # pieces that a verdict needs
TOKENS = TokenSettings(validation=0.0)  # evaluation text is held out already


def prepare(plan: ImpactPlan, work: UPath, engine: Engine, progress: Progress) -> dict[str, UPath]:
    """Make all token shards of a plan that are missing or stale; return the folders of the arms by name."""
    impact = plan.impact
    run_step(ingest_step(work, [impact.input]), engine, progress)
    run_step(split_step(work, impact.heldout.fraction), engine, progress)
    if not require_finished(work / "held_out", "").counts["documents"]:
        total = require_finished(work / "train_pool", "").counts["documents"]
        fraction = f"heldout.fraction {impact.heldout.fraction:g}"
        raise RecipeError(f"{fraction} holds out none of {total:,} documents; raise it or read more documents")
    whole = next((arm.recipe for arm in plan.arms if arm.recipe.steps), Recipe())
    clean(_reading(whole, work / "held_out", plan), work / "held_out_clean", engine, progress)
    own = dict(zip(OWN_SETS, (work / "held_out", work / "held_out_clean" / "clean"), strict=True))
    run_step(candidates_step(work, impact.heldout, own), engine, progress)
    tokenizers = _tokenizers(plan, work, engine, progress)
    data = {arm.data: arm for arm in plan.arms}
    for name, arm in data.items():
        uses = {other.tokenizer for other in plan.arms if other.data == name}
        prepare_arm(arm, uses, tokenizers, plan, work, engine, progress)
    run_step(eval_sets_step(work, [folder_of(name) for name in data], impact.heldout), engine, progress)
    check_decision_set(work, impact.heldout)
    for name, tokenizer in tokenizers.items():
        tokenize([str(work / "eval_sets")], tokenizer, eval_tokens(work, name), TOKENS, engine, progress)
    return {arm.name: arm_tokens(work, arm) for arm in plan.arms}


def prepare_arm(
    arm: Arm,
    uses: set[str],
    tokenizers: dict[str, str],
    plan: ImpactPlan,
    work: UPath,
    engine: Engine,
    progress: Progress,
) -> None:
    """Write the documents of one variant as token shards, and the fraction of each candidate that they contain."""
    pool = work / "train_pool"
    cleaned = work / "cleaning" / "clean"
    documents = cleaned if arm.recipe.steps else pool
    if arm.choice:
        documents = chosen_documents(arm.choice, folder_of(arm.name), plan, work, engine, progress)
    if arm.sampling:
        documents = work / "chosen" / folder_of(arm.name)
    coders = sorted(load_encoder(tokenizers[name]).info.sha256 for name in uses)
    # Arms are cleaned in one folder, so its content is identified by the recipe that made it.
    source = RawInput(str(cleaned), fingerprint(arm.recipe.table()["steps"], arm.recipe.words))
    inputs = Input(documents if arm.choice else pool), Input(work / "candidates"), source
    made_with = [plan.impact.heldout.ngram, coders, *([arm.sampling.table()] if arm.sampling else [])]
    output = Output(work / "arms" / folder_of(arm.data), "arm", inputs, made_with)

    def step(about: dict) -> Step:
        job = Job(describe_arm, (work / "candidates", documents, plan.impact.heldout.ngram, about), (output,))
        return Step(f"overlap of {arm.data}", {output.folder: {"steps": list(arm.recipe.steps)}}, [job])

    if fits(step({})):
        return
    summary = {"documents": 0, "steps": {}}
    if arm.recipe.steps:
        summary = clean(_reading(arm.recipe, work / "train_pool", plan), work / "cleaning", engine, progress)
    settings = TOKENS
    if arm.sampling:
        run_step(sample_step(cleaned, documents, arm.sampling), engine, progress)
        settings = arm.sampling.tokens(TOKENS)
    counts = dict(require_finished(documents, "").counts)
    for name in uses:
        shards = tokenize([str(documents)], tokenizers[name], _tokens(work, arm.data, name), settings, engine, progress)
        counts[f"tokens {name}"] = shards.manifest.counts["tokens"]
        counts["copies"] = shards.manifest.counts["bytes"] / max(1, counts["bytes"])
    run_step(step({"summary": summary, "counts": counts}), progress=progress)


def chosen_documents(
    choice: Choice, name: str, plan: ImpactPlan, work: UPath, engine: Engine, progress: Progress
) -> UPath:
    """Write the documents of an arm that chooses them; return their folder. Raises RecipeError if there is none."""
    documents, folder = work / "train_pool", work / "chosen" / name
    if choice.paths:
        corpus = plan.impact.input.model_copy(update={"paths": list(choice.paths)})
        run_step(ingest_step(work / "corpora" / name, [corpus]), engine, progress)
        documents = work / "corpora" / name / "documents"
    (written,) = run_step(choose_step(documents, folder, choice), engine, progress).manifests.values()
    if not written.counts["documents"]:
        raise RecipeError(f"[arms] {name!r} chooses no document; change its {' and '.join(choice.table())}")
    return folder


def check_decision_set(work: UPath, settings: Heldout) -> None:
    """Raise RecipeError if the decision set has too few pieces left."""
    kept = pl.concat([pl.DataFrame(read_shard(shard, [SOURCE])) for shard in list_shards(work / "eval_sets")])
    if (pieces := kept.filter(source=settings.deciding).height) < MIN_PIECES:
        raise RecipeError(
            f"the arms contain all but {pieces} pieces of the set {settings.deciding!r}, expected {MIN_PIECES} or "
            "more; name other text in [heldout] sets"
        )


def measure_overlap(candidates: UPath, documents: UPath, ngram: int, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the overlap of documents with the candidates."""
    with atomic_write(outputs[0].folder / "overlap.parquet") as file:
        overlap(candidates, list_shards(documents), ngram).write_parquet(file)
    return [Written(["overlap.parquet"], {})]


def describe_arm(
    candidates: UPath, documents: UPath, ngram: int, about: dict, outputs: tuple[Output, ...]
) -> list[Written]:
    """Write the overlap of an arm with the candidates, and its summary with the distinct shares of its text."""
    measure_overlap(candidates, documents, ngram, outputs)
    copies = max(1.0, about.get("counts", {}).get("copies", 1.0))
    distinct = {kind: share / copies for kind, share in distinct_shares(list_shards(documents)).items()}
    about = about | {"distinct": distinct}
    with atomic_write(outputs[0].folder / "summary.json") as file:
        file.write(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return [Written(["overlap.parquet", "summary.json"], {})]


def _reading(recipe: Recipe, documents: UPath, plan: ImpactPlan) -> Recipe:
    limits = plan.impact.input.model_dump(include={"max_record_bytes", "work_unit_bytes"})
    return recipe.model_copy(update={"input": (InputSettings(paths=[f"{documents}/*.parquet"], **limits),)})


def _tokenizers(plan: ImpactPlan, work: UPath, engine: Engine, progress: Progress) -> dict[str, str]:
    """Return name -> folder. The shared tokenizer is trained on the raw documents, so that it favors no arm."""
    own, named = plan.impact.tokenizer, dict(plan.impact.arms.tokenizers)
    if all(arm.tokenizer != ONE for arm in plan.arms):
        return named
    if own.path:
        return named | {ONE: own.path}
    folder = work / "tokenizer"
    settings = tokenizer_settings({"algorithm": "bpe", "vocab_size": own.vocab_size})
    train_tokenizer([str(work / "train_pool")], folder, settings, engine, progress)
    return named | {ONE: str(folder)}


def _tokens(work: UPath, data: str, tokenizer: str) -> UPath:
    return work / "tokens" / (folder_of(data) if tokenizer == ONE else f"{folder_of(data)}-{folder_of(tokenizer)}")


def arm_tokens(work: UPath, arm: Arm) -> UPath:
    return _tokens(work, arm.data, arm.tokenizer)


def eval_tokens(work: UPath, tokenizer: str) -> UPath:
    return work / "tokens" / f"eval-{folder_of(tokenizer)}"


def arm_summary(work: UPath, arm: Arm) -> dict:
    """Return the summary of an arm's cleaning and the counts of its documents."""
    return orjson.loads((work / "arms" / folder_of(arm.data) / "summary.json").read_bytes())


def overlaps(work: UPath, data: list[str]) -> pl.DataFrame:
    """Return columns set, id, and for each name in ``data`` the share of the candidate that those documents contain."""
    frames = [pl.read_parquet(str(work / "arms" / folder_of(name) / "overlap.parquet"), glob=False) for name in data]
    shares = [frame["share"].alias(name) for frame, name in zip(frames, data, strict=True)]
    return pl.DataFrame([frames[0]["id"].str.split(":").list.first().alias("set"), frames[0]["id"], *shares])
