"""From raw files to what each arm trains on: hold out, clean each variant, look for overlap, tokenize.

IMPACT/cleaning/     the work folder of all variants in turn: what they measure alike is measured once
IMPACT/arms/NAME/    what cleaning left and took (summary.json), overlap of each candidate (overlap.parquet)
IMPACT/tokens/NAME/  token shards; of the held-out text, heldout-TOKENIZER
"""

import re

import orjson
import polars as pl
from upath import UPath

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.impact.arms import ONE, Arm
from gristmill.flows.impact.eval_sets import candidates_step, heldout_step, overlap, split_step
from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.recipe import Heldout
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.flows.tokenize.train_tokenizer import load_encoder, tokenizer_settings, train_tokenizer
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.steps.step import Engine, Input, Job, Output, Progress, RawInput, Step, Written, fits, run_step
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import Manifest, fingerprint
from gristmill.pipelines.storage.shards import list_shards, read_shard
from gristmill.pipelines.tokens.settings import TokenSettings

FEWEST = 10  # pieces that a verdict may rest on
TOKENS = TokenSettings(validation=0.0)  # what is held out is held out already


def prepare(plan: ImpactPlan, work: UPath, engine: Engine, progress: Progress) -> dict[str, UPath]:
    """All token shards of a plan; returns those of the arms by name. What is there and still fits is not made again."""
    impact = plan.impact
    run_step(ingest_step(work, impact.input), engine, progress)
    run_step(split_step(work, impact.heldout.share), engine, progress)
    if not Manifest.read(work / "held").counts["documents"]:
        held = f"heldout.share {impact.heldout.share:g} of {Manifest.read(work / 'pool').counts['documents']:,}"
        raise RecipeError(f"{held} documents holds out none; raise it or read more")
    whole = next((arm.recipe for arm in plan.arms if arm.recipe.steps), Recipe())
    clean(_reading(whole, work / "held", plan), work / "held-clean", engine, progress)
    run_step(candidates_step(work, impact.heldout), engine, progress)
    tokenizers = _tokenizers(plan, work, engine, progress)
    data = {arm.data: arm for arm in plan.arms}
    for name, arm in data.items():
        uses = {other.tokenizer for other in plan.arms if other.data == name}
        prepare_arm(arm, uses, tokenizers, plan, work, engine, progress)
    run_step(heldout_step(work, [folder_of(name) for name in data], impact.heldout), engine, progress)
    check_verdict(work, impact.heldout)
    for name, tokenizer in tokenizers.items():
        tokenize([str(work / "heldout")], tokenizer, heldout_tokens(work, name), TOKENS, engine, progress)
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
    """The documents of one variant as token shards, and how much of each candidate they hold."""
    cleaned = work / "cleaning" / "clean"
    documents = cleaned if arm.recipe.steps else work / "pool"
    coders = sorted(load_encoder(tokenizers[name]).vocabulary.sha256 for name in uses)
    # The next arm is cleaned in the same folder: what lies there is known by what it was made of.
    source = RawInput(str(cleaned), fingerprint(arm.recipe.table()["steps"], arm.recipe.words))
    inputs = Input(work / "pool"), Input(work / "candidates"), source
    output = Output(work / "arms" / folder_of(arm.data), "arm", inputs, [plan.impact.heldout.ngram, coders])

    def step(about: dict) -> Step:
        job = Job(look_for_overlap, (work / "candidates", documents, plan.impact.heldout.ngram, about), (output,))
        return Step(f"overlap of {arm.data}", {output.folder: {"steps": list(arm.recipe.steps)}}, [job])

    if fits(step({})):
        return
    summary = {"documents": 0, "steps": {}}
    if arm.recipe.steps:
        summary = clean(_reading(arm.recipe, work / "pool", plan), work / "cleaning", engine, progress)
    counts = dict(Manifest.read(documents).counts)
    for name in uses:
        shards = tokenize([str(documents)], tokenizers[name], _tokens(work, arm.data, name), TOKENS, engine, progress)
        counts[f"tokens {name}"] = shards.manifest.counts["tokens"]
    run_step(step({"summary": summary, "counts": counts}), progress=progress)


def check_verdict(work: UPath, settings: Heldout) -> None:
    """Raises RecipeError where too little is left of the set that judges."""
    kept = pl.concat([pl.from_arrow(read_shard(shard, [SOURCE])) for shard in list_shards(work / "heldout")])
    if (pieces := kept.filter(source=settings.verdict).height) < FEWEST:
        raise RecipeError(
            f"{pieces} pieces of the set {settings.verdict!r} are left that no arm holds, expected {FEWEST} or more; "
            "name other text in [heldout] sets, or raise heldout.share"
        )


def look_for_overlap(
    candidates: UPath, documents: UPath, ngram: int, about: dict, outputs: tuple[Output, ...]
) -> list[Written]:
    """Finish an arm's folder: its overlap, and what is known of it."""
    folder, shares = outputs[0].folder, overlap(candidates, list_shards(documents), ngram)
    with atomic_write(folder / "overlap.parquet") as file:
        shares.write_parquet(file)
    with atomic_write(folder / "summary.json") as file:
        file.write(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    return [Written(["overlap.parquet", "summary.json"], {})]


def _reading(recipe: Recipe, documents: UPath, plan: ImpactPlan) -> Recipe:
    limits = plan.impact.input.model_dump(include={"max_record_bytes", "unit_bytes"})
    return recipe.model_copy(update={"input": InputSettings(paths=[f"{documents}/*.parquet"], **limits)})


def _tokenizers(plan: ImpactPlan, work: UPath, engine: Engine, progress: Progress) -> dict[str, str]:
    """Name -> folder. The one of all arms is trained on the raw documents, which every arm's come from."""
    own, named = plan.impact.tokenizer, dict(plan.impact.arms.tokenizers)
    if all(arm.tokenizer != ONE for arm in plan.arms):
        return named
    if own.path:
        return named | {ONE: own.path}
    folder = work / "tokenizer"
    settings = tokenizer_settings({"algorithm": "bpe", "vocab_size": own.vocab_size})
    train_tokenizer([str(work / "pool")], folder, settings, engine, progress)
    return named | {ONE: str(folder)}


def folder_of(name: str) -> str:
    """An arm's name as that of a folder."""
    return re.sub(r"[^\w.-]+", "-", name)


def _tokens(work: UPath, data: str, tokenizer: str) -> UPath:
    return work / "tokens" / (folder_of(data) if tokenizer == ONE else f"{folder_of(data)}-{folder_of(tokenizer)}")


def arm_tokens(work: UPath, arm: Arm) -> UPath:
    return _tokens(work, arm.data, arm.tokenizer)


def heldout_tokens(work: UPath, tokenizer: str) -> UPath:
    return work / "tokens" / f"heldout-{folder_of(tokenizer)}"


def arm_summary(work: UPath, arm: Arm) -> dict:
    """What cleaning took and left of an arm: summary and counts."""
    return orjson.loads((work / "arms" / folder_of(arm.data) / "summary.json").read_bytes())


def overlaps(work: UPath, data: list[str]) -> pl.DataFrame:
    """Columns set, id, and the share that each arm's documents hold."""
    frames = [pl.read_parquet(work / "arms" / folder_of(name) / "overlap.parquet") for name in data]
    shares = [frame["share"].alias(name) for frame, name in zip(frames, data, strict=True)]
    return pl.DataFrame([frames[0]["id"].str.split(":").list.first().alias("set"), frames[0]["id"], *shares])
