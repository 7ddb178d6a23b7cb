"""Language profiles from data against guessed ones: ``python -m benchmarks.profiles DATA``.

DATA is the folder of the development data. Half of the documents of each language, by the hash of their ids, give a
profile; a row shows the share of the other half that the rules remove by mistake, and the share of junk that they
find: 40 documents of each kind, made of this half.

salad   words of the language's vocabulary, each as likely as any other
other   documents in other languages, taken for this one
repeat  five lines of a document, thirty times
list    lines of two words

Languages are those of the data, as of a model that makes no mistake. The rules are those of the recipe's steps that
profiles change. ``--noise`` adds junk to the half that gives the profile. ``--method`` takes other thresholds: ours
(data), the edge of 1 % and of 10 % (1tail, 10tail), or those of FineWeb2 that go from the papers' thresholds for
English (mean-std, median-ratio, quantile).
"""

import hashlib
import random
from collections import defaultdict
from pathlib import Path

import click
import numpy as np
import polars as pl

from benchmarks.inputs import read
from benchmarks.languages import cut_lines
from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.profiles import shipped_profile, stop_words
from gristmill.filters.langid.labels import SAME
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.thresholds.cuts import TAIL, Tail, find_cuts, power, settings_to_find
from gristmill.filters.thresholds.stop_words import WordShares
from gristmill.flows.clean.recipe import read_recipe
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

WHOLE = ("langid_bible", "multiscript_handbook", "langid_manpages", "multiscript_gimp_help", "multiscript_ar_tashkeela")
WHOLE += ("multiscript_ko_nsmc", "multiscript_linux_translations", "multiscript_ui")
CUT = "langid_udhr2"
LEAST, LONGEST = 200, 50_000  # characters of a document
KINDS = ("salad", "other", "repeat", "list")
EACH = 40  # documents of junk
GUESSED = "guessed"
TAILS = {"data": TAIL, "1tail": Tail(0.01, 1.5), "10tail": Tail(0.1, 1.0)}
Documents = list[tuple[bytes, str]]  # hash of the id, text


def documents(data: Path, most: int) -> dict[str, Documents]:
    """Return language -> up to ``most`` documents in the order of their hashes."""
    found: dict[str, Documents] = defaultdict(list)
    for name in (*WHOLE, CUT):
        for row in read(data, name):
            language = row["language"].replace("_", "-").partition("-")[0]
            for k, text in enumerate(cut_lines(row["text"]) if name == CUT else [row["text"]]):
                if len(text) >= LEAST:
                    digest = hashlib.sha256(f"{name}/{row['id']}/{k}".encode()).digest()
                    found[SAME.get(language, language)].append((digest, text[:LONGEST]))
    return {language: sorted(rows)[:most] for language, rows in sorted(found.items())}


def junk(rows: Documents, others: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Return kind -> texts, from the documents of a language and texts of others."""
    vocabulary = sorted({word for _, text in rows for word in text.split()})
    lines = [kept for _, text in rows if (kept := [line for line in text.splitlines() if line.strip()])]

    def words(n: int, end: str = "") -> str:
        return " ".join(rng.choices(vocabulary, k=n)) + end

    return {
        "salad": ["\n".join(words(12, ".") for _ in range(25)) for _ in range(EACH)],
        "other": rng.sample(others, EACH),
        "repeat": ["\n".join(rng.choices(rng.choices(rng.choice(lines), k=5), k=30)) for _ in range(EACH)],
        "list": ["\n".join(words(2) for _ in range(80)) for _ in range(EACH)],
    }


def measure(steps: dict[str, Filter], texts: list[str], language: str, words: str) -> dict[str, pl.DataFrame]:
    batch = Batch(Ragged.from_strings(texts), np.full(len(texts), language), words)
    return {name: step.measure(batch) for name, step in steps.items()}


def removed(steps: dict[str, Filter], frames: dict[str, pl.DataFrame], language: str) -> float:
    """Return the percentage of the documents that break a rule."""
    rows = len(next(iter(frames.values())))
    profiles = {name: step.profile_of(np.full(rows, language), rows) for name, step in steps.items()}
    broken = [decide(step, frames[name], profiles[name]).list.len() > 0 for name, step in steps.items()]
    return 100 * float(np.logical_or.reduce([each.to_numpy() for each in broken]).mean())


def with_profile(steps: dict[str, Filter], language: str, tables: dict[str, dict]) -> dict[str, Filter]:
    """Return the steps with a profile of the language: name of a step -> settings."""
    return {
        name: read_settings(type(step), {**step.model_dump(), "profiles": {language: tables.get(name, {})}}, name)
        for name, step in steps.items()
    }


def from_english(method: str, step: Filter, frame: pl.DataFrame, english: pl.DataFrame) -> dict[str, float]:
    """Return thresholds by a method of FineWeb2 that goes from the thresholds for English, those of the papers."""
    found = {}
    for setting in settings_to_find(step):
        start = type(step).model_fields[setting].default
        if start is None or setting == "min_stop_words":
            continue
        values, theirs = (each[setting[4:]].cast(pl.Float64).to_numpy() for each in (frame, english))
        if method == "mean-std":
            found[setting] = values.mean() + (start - theirs.mean()) * values.std() / (theirs.std() or 1)
        elif method == "median-ratio":
            found[setting] = start * np.median(values) / (np.median(theirs) or 1) if np.median(theirs) else start
        else:
            found[setting] = np.quantile(
                values, (theirs < start).mean() if setting[:3] == "min" else (theirs <= start).mean()
            )
        found[setting] = float(np.clip(found[setting], 0, 1 if start <= 1 else None))
    return found


def row(language, rows, methods, steps, others, english, noise, words) -> list[dict]:
    """Return a row per method: documents, false removals and recall of each kind of junk, in percent."""
    rng = random.Random(language)
    half, rest = ([each for each in rows if each[0][0] % 2 == side] for side in (0, 1))
    known, unknown = (junk(side, others, rng) for side in (half, rest))
    dirt = [text for kind in KINDS for text in known[kind]]
    texts = [text for _, text in half] + rng.sample(dirt, min(len(dirt), round(noise / (1 - noise) * len(half))))
    batch = Batch(Ragged.from_strings(texts), splitter=words)
    shares = WordShares()
    shares.add(batch.text, batch.words, np.arange(len(texts)))
    stops = {name: {"stop_words": shares.stop_words()} for name, step in steps.items() if isinstance(step, Gopher)}
    lists = [{}, stops] if stop_words(shipped_profile(language)) else [stops]
    givers = [with_profile(steps, language, each) for each in lists]
    frames = [measure(giver, texts, language, words) for giver in givers]
    sets = {"false": [text for _, text in rest], **unknown}
    measured = [
        {name: measure(each, rows, language, words) for name, rows in sets.items()} for each in (*givers, steps)
    ]
    found = []
    for method in methods:
        made, judged = steps, measured[-1]
        if method != GUESSED:
            tail = TAILS.get(method, TAIL)
            powers = [
                max(
                    power(step, language, frame[name], tail) for name, step in giver.items() if isinstance(step, Gopher)
                )
                for giver, frame in zip(givers, frames, strict=True)
            ]
            best = powers.index(max(powers))
            cuts = {
                name: find_cuts(step, language, frames[best][name], tail)
                | ({} if method in TAILS else from_english(method, step, frames[best][name], english[name]))
                for name, step in steps.items()
            }
            tables = {name: lists[best].get(name, {}) | each for name, each in cuts.items()}
            made, judged = with_profile(steps, language, tables), measured[best]
        shares_of = {name: removed(made, each, language) for name, each in judged.items()}
        found.append({"language": language, "method": method, "documents": len(half), **shares_of})
    return found


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--recipe", default="recipes/clean-corpus.toml", show_default=True)
@click.option("--documents", "most", default=300, show_default=True, help="maximum number per language")
@click.option("--at-least", "least", default=60, show_default=True, help="documents of a language in the table")
@click.option("--noise", default=0.0, show_default=True, help="share of junk in the half that gives the profile")
@click.option("--method", "methods", multiple=True, default=(GUESSED, "data"), show_default=True)
def main(data, recipe, most, least, noise, methods):
    """Print false removals and recall for each language, and their means for each method."""
    plan = read_recipe(recipe)
    steps = {name: step for name, step in plan.steps.items() if isinstance(step, Filter) and settings_to_find(step)}
    rows = {language: each for language, each in documents(data, most).items() if len(each) >= least}
    english = measure(steps, [text for _, text in rows["en"]], "en", plan.words)
    found = []
    for language, each in rows.items():
        others = [text for other, theirs in rows.items() if other != language for _, text in theirs[:10]]
        found += row(language, each, methods, steps, others, english, noise, plan.words)
    table = pl.DataFrame(found)
    pl.Config.set_tbl_rows(-1).set_tbl_cols(-1).set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
    pl.Config.set_float_precision(1).set_tbl_width_chars(160)
    click.echo(table.sort("language", maintain_order=True))
    means = table.group_by("method", maintain_order=True).agg(
        pl.len().alias("languages"), pl.mean("false"), pl.max("false").alias("worst"), pl.mean(*KINDS)
    )
    click.echo(means)


if __name__ == "__main__":
    main()
