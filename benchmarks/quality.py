"""Quality of a recipe's rules on labeled documents: recall of planted noise, and false removals.

    python -m benchmarks.quality messy.jsonl.zst [--recipe recipes/clean-corpus.toml] [--show RULE] [--spread MEASURE]
        [--missed]

The script runs only the filters of the recipe, which need one document at a time, and cross_fit_perplexity. Labels are
used to score the decisions, never to make them.

Some plants change nothing: capitals in a script without case, Mac Roman in ASCII, words that no space separates. A
second recall leaves such documents out (``is_changed``); ``--missed`` prints all that no rule found.
"""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import zstandard
from upath import UPath

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import LANGUAGE, Filter, provider
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity, read_scores
from gristmill.filters.perplexity.fold_samples import sizes
from gristmill.flows.clean.recipe import read_recipe
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.corpus_step import decide_inline

# Percent of the documents of a kind that may be removed.
TARGETS = {"web": 11.0, "novel": 0.5, "speech": 1.0, "essay": 6.0, "techdoc": 20.0, "reference": 17.0, "code": 10.0}
TARGETS |= {"foreign": 10.0}
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
AT_ONCE = 2000  # documents
STRING = pa.large_string()


def read_labeled(path: str) -> list[dict]:
    """Return the rows of a JSON Lines file in zstd, each with text and labels."""
    with open(path, "rb") as file:
        return [orjson.loads(line) for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))]


def measure(chain: dict[str, Filter], texts: list[str]) -> dict[str, pl.DataFrame]:
    return measure_documents(chain, pa.table({TEXT: pa.array(texts, pa.large_string())}))


def labels(chain: dict[str, Filter], frames: dict[str, pl.DataFrame]) -> pl.Series | None:
    """Return the language of each document, or None if no filter of the chain detects it."""
    name = provider(chain, LANGUAGE)
    return frames[name][chain[name].PROVIDES[LANGUAGE]] if name else None


def broken_rules(chain: dict[str, Filter], frames: dict[str, pl.DataFrame]) -> list[list[str]]:
    """Return the broken rules of each document as "step.rule", in the order of the chain."""
    documents, found = len(next(iter(frames.values()))), labels(chain, frames)
    language = None if found is None else found.to_numpy()
    broken = [[] for _ in range(documents)]
    for name, step in chain.items():
        for i, rules in enumerate(decide(step, frames[name], step.profile_of(language, documents)).to_list()):
            broken[i].extend(f"{name}.{rule['rule']}" for rule in rules)
    return broken


def is_changed(kind: str, text: str) -> bool:
    """True if a plant of a kind of noise can have changed a text.

    >>> [is_changed("all_caps", "水车"), is_changed("mojibake", "mill"), is_changed("word_salad", "水车在河边")]
    [False, False, False]
    """
    letters = sum(map(str.isalpha, text))
    if kind == "all_caps":
        return 2 * sum(letter.lower() != letter.upper() for letter in text) >= letters
    if kind == "mojibake":
        return not text.isascii()
    return kind not in ("word_salad", "no_stop_words") or 2 * len(UNSPACED.findall(text)) < letters


class Labelled:
    """Labeled documents with the interface of a corpus: one part, which keeps the documents that break no rule."""

    parts = ("all",)

    def __init__(self, rows: list[dict], language: pl.Series | None, broken: list[list[str]], stage_folder: UPath):
        self.table = pa.table({ID: [row["id"] for row in rows], TEXT: pa.array([row["text"] for row in rows], STRING)})
        language = pl.Series([UNKNOWN] * len(rows)) if language is None else language
        self.frame = pl.DataFrame({"language": language}).hstack(sizes(self.table[TEXT]))
        self.kept, self.rows = np.array([not rules for rules in broken]), {"all": len(rows)}
        self.stage_folder = stage_folder

    def shard(self, part: str) -> "Labelled":
        return self

    def keep_mask(self, part: str, rows: int) -> np.ndarray:
        return self.kept

    def measured(self, part: str, columns: list[str]) -> pa.Table:
        return self.frame.select(columns).to_arrow()

    def columns(self, part: str, names: list[str], rows: np.ndarray) -> pl.DataFrame:
        return pl.from_arrow(self.table.select(names).take(rows))

    def texts(self, part: str, rows: np.ndarray) -> Iterator[Ragged]:
        for begin in range(0, rows.size, AT_ONCE):
            yield Ragged.from_text(self.table[TEXT].take(rows[begin : begin + AT_ONCE]))


def judge_corpus(
    step: CrossFitPerplexity, name: str, rows: list[dict], language: pl.Series | None, broken: list[list[str]]
) -> pl.DataFrame:
    """Run a corpus step, add its violations to ``broken`` and return its scores."""
    with TemporaryDirectory() as folder:
        stage_folder = UPath(folder)
        (verdict,) = decide_inline(step, Labelled(rows, language, broken, stage_folder), Path(folder))
        scores = read_scores(stage_folder, "all")
    for i, rules in enumerate(verdict.decisions["violations"].to_list()):
        broken[i].extend(f"{name}.{rule['rule']}" for rule in rules)
    every = pl.DataFrame({"row": np.arange(len(broken))})
    return every.join(scores, on="row", how="left", maintain_order="left")


def percent(part: int, whole: int) -> float:
    return 100 * part / max(whole, 1)


def rates(groups: list[str], broken: list[list[str]]) -> pl.DataFrame:
    """Return the number of documents in each group and the percentage removed."""
    all_documents, gone = Counter(groups), Counter(g for g, rules in zip(groups, broken, strict=True) if rules)
    rows = [(group, n, percent(gone[group], n)) for group, n in sorted(all_documents.items())]
    return pl.DataFrame(rows, ["group", "documents", "removed_percent"], orient="row")


def costs(groups: list[str], broken: list[list[str]]) -> pl.DataFrame:
    """Return the documents each rule removes per group and in total; ``alone`` counts those without another rule."""
    removed, alone = defaultdict(Counter), Counter()
    for group, rules in zip(groups, broken, strict=True):
        for rule in rules:
            removed[rule][group] += 1
        if len(rules) == 1:
            alone[rules[0]] += 1
    rows = [{"rule": r, "removed": c.total(), "alone": alone[r], **c} for r, c in removed.items()]
    frame = pl.DataFrame(rows, infer_schema_length=None).fill_null(0)
    return frame.sort("removed", descending=True) if rows else frame


def spread(groups: list[str], values: pl.Series) -> pl.DataFrame:
    """Return percentiles of a measure in each group, from which to choose a threshold."""
    percentiles = [pl.col("value").quantile(q / 100).alias(f"{q} %") for q in (1, 5, 25, 50, 75, 95, 99)]
    return pl.DataFrame({"group": groups, "value": values}).group_by("group").agg(percentiles).sort("group")


@click.command()
@click.argument("path", type=click.Path(exists=True))
@click.option("--recipe", default="recipes/clean-corpus.toml", show_default=True)
@click.option(
    "--show", metavar="RULE", help="print the beginning of each document without plants that breaks STEP.RULE"
)
@click.option("--missed", is_flag=True, help="print the beginning of each planted document that breaks no rule")
@click.option("--spread", "measured", metavar="MEASURE", help="print percentiles of STEP.MEASURE instead")
def main(path, recipe, show, missed, measured):
    """Score the rules of a recipe on labeled documents."""
    chain = {name: step for name, step in read_recipe(recipe).steps.items() if isinstance(step, Filter)}
    over_corpus = {n: step for n, step in read_recipe(recipe).steps.items() if isinstance(step, CrossFitPerplexity)}
    rows = read_labeled(path)
    frames = measure(chain, [row["text"] for row in rows])
    pl.Config.set_tbl_rows(-1).set_tbl_cols(-1).set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
    pl.Config.set_float_precision(3 if measured else 1).set_tbl_width_chars(200)
    broken = broken_rules(chain, frames)
    for name, step in over_corpus.items():
        frames[name] = judge_corpus(step, name, rows, labels(chain, frames), broken)
    if measured:
        step, _, name = measured.partition(".")
        groups = [f"noise: {r['labels']['low_quality']}" if _is_noise(r) else r["labels"]["kind"] for r in rows]
        return click.echo(spread(groups, frames[step][name]))
    noise = [(r["labels"]["low_quality"], b, r["text"]) for r, b in zip(rows, broken, strict=True) if _is_noise(r)]
    planted = [(kind, b) for kind, b, _ in noise]
    kept = [(r["labels"]["kind"], b, r["text"]) for r, b in zip(rows, broken, strict=True) if not r["labels"]["issues"]]
    click.echo(f"planted low quality: recall {percent(sum(bool(b) for _, b in planted), len(planted)):.1f} %")
    changed = [bool(b) for kind, b, text in noise if is_changed(kind, text)]
    click.echo(f"of the {len(changed):,} that a plant can have changed: {percent(sum(changed), len(changed)):.1f} %")
    click.echo(rates([kind for kind, _ in planted], [b for _, b in planted]))
    click.echo(costs([kind for kind, _ in planted], [b for _, b in planted])[["rule", "removed", "alone"]])
    false = rates([kind for kind, *_ in kept], [b for _, b, _ in kept])
    limit = pl.col("group").replace_strict(TARGETS, default=None, return_dtype=pl.Float64).alias("at_most")
    click.echo("documents without plants")
    click.echo(false.with_columns(limit))
    click.echo(costs([kind for kind, *_ in kept], [b for _, b, _ in kept]))
    for kind, rules, text in noise if missed else ():
        if not rules:
            click.echo(f"--- {kind}, {'changed' if is_changed(kind, text) else 'unchanged'}\n{text[:400]!r}")
    for kind, rules, text in kept if show else ():
        if show in rules:
            click.echo(f"--- {kind} {rules}\n{text[:400]!r}")


def _is_noise(row: dict) -> bool:
    return "low_quality" in row["labels"]["issues"]


if __name__ == "__main__":
    main()
