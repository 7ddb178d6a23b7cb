"""False removals of a recipe's rules in each language, on edited text: ``python -m benchmarks.languages DATA``.

DATA is the folder of the development data. Its Bible chapters, pages of the Debian handbook and Declarations of Human
Rights are text that no rule should remove. A Declaration is cut into documents of 2 to 6 kB. Up to ``--documents`` of
each language are sampled by the hash of their ids; languages with less than ``--at-least`` share the last row. The
script runs the steps that benchmarks/quality.py runs.
"""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import click
import polars as pl

from benchmarks.inputs import read
from benchmarks.quality import broken_rules, judge_corpus, labels, measure, percent
from gristmill.filters.core.filter import Filter
from gristmill.filters.langid.labels import SAME
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.flows.clean.recipe import read_recipe

WHOLE, CUT = ("langid_bible", "multiscript_handbook"), ("langid_udhr2",)
LEAST, MOST = 2000, 6000  # bytes of a piece
OTHER = "other languages"


def documents(data: Path, most: int) -> list[dict]:
    """Return id, text and language of up to ``most`` documents per language."""
    by_language = defaultdict(list)
    for name in (*WHOLE, *CUT):
        for row in read(data, name):
            texts = cut_lines(row["text"]) if name in CUT else [row["text"]]
            language = row["language"].partition("-")[0]
            for k, text in enumerate(texts):
                by_language[SAME.get(language, language)].append({"id": f"{name}/{row['id']}/{k}", "text": text})
    for language, rows in by_language.items():
        rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
        by_language[language] = [{**row, "language": language} for row in rows[:most]]
    return [row for language in sorted(by_language) for row in by_language[language]]


def cut_lines(text: str, least: int = LEAST, most: int = MOST) -> list[str]:
    """Return a text in pieces of whole lines: ``least`` to ``most`` bytes, unless a line is longer."""
    pieces, size = [""], 0
    for line in text.splitlines(keepends=True):
        length = len(line.encode())
        if size >= least and size + length > most:
            pieces.append("")
            size = 0
        pieces[-1] += line
        size += length
    if len(pieces) > 1 and size < least:
        last = pieces.pop()
        pieces[-1] += last
    return pieces


def judge(recipe: str, rows: list[dict]) -> list[list[str]]:
    """Return the broken rules of each document."""
    steps = read_recipe(recipe).steps
    chain = {name: step for name, step in steps.items() if isinstance(step, Filter)}
    frames = measure(chain, [row["text"] for row in rows])
    broken = broken_rules(chain, frames)
    for name, step in steps.items():
        if isinstance(step, CrossFitPerplexity):
            judge_corpus(step, name, rows, labels(chain, frames), broken)
    return broken


def table(rows: list[dict], broken: list[list[str]], least: int) -> pl.DataFrame:
    """Return a row per language, those with the most removed documents first, and the rules that removed them."""
    enough = {language for language, n in Counter(row["language"] for row in rows).items() if n >= least}
    total, gone, by_rule = Counter(), Counter(), defaultdict(Counter)
    for row, rules in zip(rows, broken, strict=True):
        language = row["language"] if row["language"] in enough else OTHER
        total[language] += 1
        gone[language] += bool(rules)
        by_rule[language].update(set(rules))
    found = [
        {
            "language": language,
            "documents": n,
            "removed_percent": percent(gone[language], n),
            "rules": ", ".join(f"{rule} {count}" for rule, count in by_rule[language].most_common(4)),
        }
        for language, n in total.items()
    ]
    last = pl.col("language") == OTHER
    return pl.DataFrame(found).sort(last, -pl.col("removed_percent"), "language")


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--recipe", default="recipes/clean-corpus.toml", show_default=True)
@click.option("--documents", "most", default=100, show_default=True, help="maximum number per language")
@click.option("--at-least", "least", default=30, show_default=True, help="documents of a language with its own row")
def main(data, recipe, most, least):
    """Print the false removals in each language, their median and the worst."""
    rows = documents(data, most)
    found = table(rows, judge(recipe, rows), least)
    pl.Config.set_tbl_rows(-1).set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
    pl.Config.set_float_precision(1).set_tbl_width_chars(180).set_fmt_str_lengths(130)
    click.echo(found)
    share = found.filter(pl.col("language") != OTHER)["removed_percent"]
    click.echo(f"{share.len()} languages, percent removed: median {share.median():.1f}, worst {share.max():.1f}")


if __name__ == "__main__":
    main()
