"""Dataset card: a README for the Hugging Face Hub, to upload with ``clean/``."""

import re
from typing import Any

import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.dedup.contamination.step import Contamination
from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.filters.langid.filter import Language
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.rules.keywords import Keywords
from gristmill.flows.report.format import environment, indented
from gristmill.flows.report.guessed import guessed
from gristmill.flows.report.html import addresses_left, benchmarks, rewritten, unread_columns, unsearched
from gristmill.flows.report.ledger import read_ledger
from gristmill.flows.report.rules import steps
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.schema import DECLARED, ID, SOURCE, TEXT
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.shards import shard_schema

UNSURE = "und"
MIN_SHARE = 0.005  # of the kept documents that a language needs to be in the header
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
SIZES += ((10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"))
SCRUBBED = "from the input, personal data replaced"
MEANINGS = {ID: "unique, the same in every run on the same input", TEXT: "text of the document after all steps"}
MEANINGS |= {SOURCE: "origin of the document", DECLARED: "language that the recipe gives for its input"}


def card(folder: UPath, target: UPath, license: str, name: str | None = None) -> int:
    """Write the card of a finished work folder; return its size in bytes. The same folder gives the same bytes."""
    text = write(FinishedRun(folder), license, name).encode()
    with atomic_write(target) as file:
        file.write(text)
    return len(text)


def write(work: FinishedRun, license: str, name: str | None) -> str:
    """Return the card: a header for the Hub, then sections for readers."""
    ledger = read_ledger(work)
    kinds = {step.NAME: step for step in work.recipe.steps.values()}
    languages = ledger.languages.filter(pl.col("kept") > 0).sort("kept", "language", descending=[True, False])
    recipe = indented(work.table)
    body = (
        environment(autoescape=False)
        .get_template("card.md")
        .render(
            title=name or work.recipe.name,
            license=license,
            work=work,
            summary=work.summary,
            steps=steps(work, ledger),
            sources=ledger.sources.to_dicts(),
            languages=languages.to_dicts(),
            guessed=[row for row in guessed(work, ledger) if row["kept"]],
            columns=_columns(work),
            personal=rewritten(work, ledger, True),
            addresses_left=addresses_left(work),
            unsearched=unsearched(work),
            unread_columns=unread_columns(work),
            cut=rewritten(work, ledger, False),
            benchmarks=benchmarks(work),
            pii=kinds.get(PiiFilter.NAME),
            contamination=kinds.get(Contamination.NAME),
            language=kinds.get(Language.NAME),
            near=kinds.get(NearDuplicates.NAME),
            exact=kinds.get(Exact.NAME),
            keywords=kinds.get(Keywords.NAME),
            recipe=recipe,
            fence="`" * max(3, 1 + max(map(len, re.findall("`+", recipe)), default=0)),
        )
    )
    return f"---\n{_header(work, languages, license, name)}\n---\n\n{body}"


def _header(work: FinishedRun, languages: pl.DataFrame, license: str, name: str | None) -> str:
    """Return the YAML header for the Hub and `datasets`."""
    from huggingface_hub import DatasetCardData  # takes a third of a second to import

    frequent = languages.filter((pl.col("kept") >= MIN_SHARE * work.summary["clean"]) & (pl.col("language") != UNSURE))
    data = DatasetCardData(
        pretty_name=name or work.recipe.name,
        license=license,
        language=frequent["language"].to_list() or None,
        size_categories=[size_category(work.summary["clean"])],
        task_categories=["text-generation"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "clean/*.parquet"}]}],
    )
    return data.to_yaml()


def size_category(documents: int) -> str:
    """Return the Hub's category for a number of rows.

    >>> size_category(999), size_category(1000)
    ('n<1K', '1K<n<10K')
    """
    return next((word for below, word in SIZES if documents < below), "100B<n<1T")


def _columns(work: FinishedRun) -> list[dict[str, Any]]:
    """Return the columns of clean/, each with its type and meaning."""
    schema = shard_schema(work.folder / "clean" / f"{work.parts[0]}.parquet") if work.parts else pa.schema([])
    searched = {name for step in work.recipe.steps.values() if isinstance(step, PiiFilter) for name in step.columns}
    return [
        {
            "name": field.name,
            "type": str(field.type),
            "holds": MEANINGS.get(field.name, SCRUBBED if field.name in searched else "unchanged from the input"),
        }
        for field in schema
    ]
