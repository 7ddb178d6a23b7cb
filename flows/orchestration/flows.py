"""Prefect flows of the main commands: the same steps, the same bytes.

Parameters are typed, and the recipe is checked before any work. A flow that failed or was killed continues when it is
run again with the same parameters.
"""

from typing import Annotated, Any

from prefect import flow, get_run_logger, task
from prefect.logging.loggers import flow_run_logger
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.orchestration.root import output_path
from gristmill.flows.orchestration.tasks import PrefectProgress, as_tasks, show_funnel

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
RECIPE = "clean-corpus"
THREADS: Any = ThreadPoolTaskRunner()  # its threads wait for workers; the engine limits the running jobs


def log_restart(flow, flow_run, state) -> None:
    """Log what to do after a failure, a crash, a cancellation or Ctrl-C. Prefect passes some arguments by name."""
    flow_run_logger(flow_run, flow).error("%s ended early. Run it with the same parameters to continue.", flow.name)


HOOKS: dict[str, Any] = {name: [log_restart] for name in ("on_failure", "on_crashed", "on_cancellation")}


@flow(name="clean-corpus", task_runner=THREADS, **HOOKS)
def clean_corpus(
    recipe: str = RECIPE,
    input: list[str] | None = None,
    output: str = "work",
    set: list[str] | None = None,
    engine: str = "processes",
    workers: Count | None = None,
    job_seconds: Seconds | None = None,
) -> dict:
    """Run ``recipe`` on the paths ``input`` (default: the recipe's); write the work folder ``output``."""
    settings = read_recipe(recipe, tuple(set or ()), tuple(input or ()))
    with engine_of(engine, workers, job_seconds, as_tasks) as run:
        summary = clean(settings, output_path(output), run, PrefectProgress())
    show_funnel(summary, output)
    return summary


@flow(name="train-tokenizer", task_runner=THREADS, **HOOKS)
def train_tokenizer(
    corpus: list[str],
    output: str = "work/tokenizers/bpe",
    algorithm: str = "bpe",
    vocab_size: Count = 32_000,
    set: list[str] | None = None,
    engine: str = "processes",
    workers: Count | None = None,
) -> str:
    """Train a tokenizer on ``corpus`` (work folders, shards, raw files) into the folder ``output``."""
    from gristmill.flows.tokenize import train_tokenizer as steps

    settings = steps.tokenizer_settings({"algorithm": algorithm, "vocab_size": vocab_size}, set or ())
    with engine_of(engine, workers, None, as_tasks) as run:
        steps.train_tokenizer(corpus, output_path(output), settings, run, PrefectProgress(), get_run_logger().info)
    return output


@flow(name="tokenize-corpus", task_runner=THREADS, **HOOKS)
def tokenize_corpus(
    corpus: list[str],
    tokenizer: str,
    output: str = "work/tokens/bpe",
    set: list[str] | None = None,
    engine: str = "processes",
    workers: Count | None = None,
) -> dict:
    """Encode the documents of ``corpus`` into token shards in the folder ``output``; return their counts."""
    from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize

    settings = token_settings(set or ())
    with engine_of(engine, workers, None, as_tasks) as run:
        return dict(tokenize(corpus, tokenizer, output_path(output), settings, run, PrefectProgress()).manifest.counts)


@flow(name="pretrain-smoke", **HOOKS)
def pretrain_smoke(
    tokens: str,
    output: str = "work/runs/smoke",
    preset: str = "nano",
    steps: Count = 200,
    set: list[str] | None = None,
) -> dict:
    """Train a small GPT on token shards, to see whether the loss falls; return the summary of the run."""
    from gristmill.flows.models.pretraining import pretrain_settings, train_model

    log, settings = get_run_logger(), pretrain_settings({"preset": preset, "steps": steps}, set or ())
    train = task(name="train", task_run_name=f"train {preset} for {steps} steps", persist_result=False)(train_model)
    return train(tokens, str(output_path(output)), settings, lambda line: log.info("%s", line))


@flow(name="run-recipe", task_runner=THREADS, **HOOKS)
def run_recipe(
    recipe: str = "corpus-to-model",
    input: list[str] | None = None,
    output: str = "work",
    set: list[str] | None = None,
    engine: str = "processes",
    workers: Count | None = None,
    job_seconds: Seconds | None = None,
) -> dict:
    """Run ``recipe`` to its end, as ``gristmill run`` does; return the summary of the cleaning."""
    from gristmill.flows.project.run import run_recipe as run_to_end
    from gristmill.flows.project.sections import read_sections

    settings = read_recipe(recipe, tuple(set or ()), tuple(input or ()))
    sections, work, log = read_sections(settings, recipe), output_path(output), get_run_logger()
    if sections.report and sections.report.output:
        output_path(sections.report.output)  # raises if it lies outside
    with engine_of(engine, workers, job_seconds, as_tasks) as run:
        done = run_to_end(settings, sections, work, run, PrefectProgress(), lambda line: log.info("%s", line))
    show_funnel(done.summary, output)
    return done.summary


@flow(name="measure-impact", task_runner=THREADS, **HOOKS)
def measure_impact(
    recipe: str = "impact-small",
    input: list[str] | None = None,
    output: str = "impact",
    set: list[str] | None = None,
    engine: str = "processes",
    workers: Count | None = None,
) -> dict:
    """Measure how much each step of a recipe changes a model's loss, as ``gristmill impact run`` does."""
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.impact.run import measure_impact as measure

    settings, log = read_impact(recipe, tuple(set or ()), tuple(input or ())), get_run_logger()
    with engine_of(engine, workers, None, as_tasks) as run:
        found = measure(settings, output_path(output), run, PrefectProgress(), log.info)
    log.info("%s", found["headline"])
    return found


engine_of = engine  # the flows have a parameter named engine
ALL_FLOWS = clean_corpus, train_tokenizer, tokenize_corpus, pretrain_smoke, run_recipe, measure_impact
FLOWS = {flow.name: flow for flow in ALL_FLOWS}
