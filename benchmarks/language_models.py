"""Macro-F1 of the default language model and of its halves per file: ``python -m benchmarks.language_models DATA``.

DATA is the folder of the development data. The default must not lose more than ``ALLOWED`` to the better half on any
file; the languages with which it loses most are named. A Declaration of Human Rights is cut into pieces of about 1 kB.
``--half`` selects documents by the hash of their ids: the constants of filters/langid/models.py were chosen on
``calibration``, and ``test`` shows whether they hold. ``--file`` adds JSON lines with id, text and language.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import numpy as np
import orjson
import polars as pl

from benchmarks.inputs import read
from benchmarks.languages import cut_lines
from gristmill.filters.langid.evaluate import f1_scores
from gristmill.filters.langid.labels import language_of
from gristmill.filters.langid.models import ENSEMBLE, load_model
from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.ragged import Ragged

CUT = "langid_udhr2"
FILES = [
    *("langid_bible", CUT, "langid_fortunes", "langid_manpages", "multiscript_ar_tashkeela", "multiscript_gimp_help"),
    *("multiscript_handbook", "multiscript_ko_nsmc", "multiscript_linux_translations", "multiscript_th_wisesight"),
    *("multiscript_ui", "multiscript_zh_poetry", "neardup_installguide", "messy"),
]
PIECE = 500, 1500  # bytes
MODELS = (*ENSEMBLE.split("+"), ENSEMBLE)
ALLOWED = 0.002
HALVES = {"calibration": 0, "test": 1}
AT_ONCE = 5000  # documents


def documents(rows: Iterable[dict], half: int | None, cut: bool) -> Iterator[tuple[str, str]]:
    """Yield text and language of the rows in a half, without the pages in two languages."""
    for row in rows:
        labels = row.get("labels") or {}
        language = row.get("language") or labels.get("language")
        wanted = half is None or hashlib.sha256(row["id"].encode()).digest()[0] & 1 == half
        if wanted and language and is_one_language(language, labels):
            for text in cut_lines(row["text"], *PIECE) if cut else [row["text"]]:
                yield text, language_of(language)


def is_one_language(language: str, labels: dict) -> bool:
    """Return False for pages of the handbook in two languages.

    Those of another language's folder are labeled English from one half of English letters on. In folders of languages
    in Latin letters this is a guess; in others, English pages have nearly no other letters.
    """
    folder = labels.get("folder_language")
    if folder is None or language == folder:
        return not labels.get("mixed")
    fraction = labels.get("script_fraction")
    return fraction is not None and fraction < 0.02


def score(name: str, labeled: Iterable[tuple[str, str]], least: int) -> dict:
    """Return a row of the table over the languages of ``least`` documents or more."""
    texts, truth = zip(*labeled, strict=True)
    groups = [
        sample_slices(Ragged.from_strings(list(texts[i : i + AT_ONCE])), 1024) for i in range(0, len(texts), AT_ONCE)
    ]
    counts = Counter(truth)
    counted = frozenset(language for language in load_model(ENSEMBLE).languages if counts[language] >= least)
    scores = []
    for model in MODELS:
        label = np.concatenate([load_model(model).predict(group)[0] for group in groups])
        scores.append(f1_scores(np.array(truth), label.astype(str), counted))
    means = [float(np.mean([*found.values()])) for found in scores]
    lost = {language: scores[2][language] - max(half[language] for half in scores[:2]) for language in scores[2]}
    worst = sorted(lost, key=lost.__getitem__)[:4]
    return {
        "file": name,
        "documents": sum(counts[language] for language in counted),
        "languages": len(scores[2]),
        **dict(zip(MODELS, means, strict=True)),
        "difference": means[2] - max(means[:2]),
        "loses with": ", ".join(f"{language} {lost[language]:+.3f}" for language in worst if lost[language] < -ALLOWED),
    }


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--half", type=click.Choice([*HALVES]), help="documents to read [all]")
@click.option("--least", default=10, show_default=True, help="documents of a language that counts")
@click.option("--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(data, half, least, files):
    """Print the macro-F1 of each model on each file, and the worst difference."""
    half = HALVES.get(half)
    rows = [score(name, documents(read(data, name), half, name == CUT), least) for name in FILES]
    for path in files:
        rows.append(score(path.stem, documents(map(orjson.loads, path.open("rb")), half, cut=False), least))
    table = pl.DataFrame(rows)
    pl.Config.set_tbl_rows(-1).set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
    pl.Config.set_float_precision(4).set_tbl_width_chars(200).set_fmt_str_lengths(60)
    click.echo(table)
    worst = table["difference"].min()
    click.echo(f"worst difference {worst:+.4f}; at least {-ALLOWED} is right")


if __name__ == "__main__":
    main()
