"""The report: everything told of a work folder as one HTML file that asks nothing of any network.

The pictures are SVG made here, not by a plotting library: plotly's script is 4.8 MB, wants a policy that lets it write
styles, and draws nothing before it has run. A page of ours is a few hundred kB, reads without scripts, and its policy
lets nothing run but the one script whose hash it names.
"""

import base64
import hashlib
from collections import Counter
from typing import Any

import orjson
import polars as pl
from upath import UPath

from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.plan import report_of
from gristmill.flows.report.duplicates import duplicates
from gristmill.flows.report.format import TEMPLATES, environment
from gristmill.flows.report.impact import impact
from gristmill.flows.report.ledger import LedgerSummary, read_ledger
from gristmill.flows.report.models import runs, tokenizers, tokens
from gristmill.flows.report.rules import plots, steps
from gristmill.flows.report.samples import samples, without_personal
from gristmill.flows.report.svg import HEIGHT
from gristmill.flows.runs.finished import REMEDY, FinishedRun
from gristmill.pipelines.schema import ID
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import require_finished

TOP = 25  # repeated passages shown
MOST = 24  # sources and languages shown


def report(folder: UPath, target: UPath, experiment: UPath | None = None) -> int:
    """Write the report of a finished work folder, and of an experiment with its data; returns its size in bytes.

    The same folders give the same bytes.
    """
    page = render(collect(FinishedRun(folder), experiment)).encode()
    with atomic_write(target) as file:
        file.write(page)
    return len(page)


def collect(work: FinishedRun, experiment: UPath | None) -> dict[str, Any]:
    """All that the page says."""
    told = read_ledger(work)
    return {
        "name": work.recipe.name,
        "about": work.recipe.about,
        "version": work.version,
        "summary": work.summary,
        "steps": [step | {"plots": plots(work, step)} for step in steps(work, told)],
        "rejects": rejects(work),
        "sources": told.sources.to_dicts(),
        "languages": told.languages.to_dicts(),
        "personal": rewritten(work, told, True),
        "cut": rewritten(work, told, False),
        "samples": samples(work, told.chosen),
        "duplicates": duplicates(work, told.sources),
        "repeats": _tops(work),
        "benchmarks": benchmarks(work),
        "tokenizers": tokenizers(work),
        "tokens": tokens(work),
        "runs": runs(work),
        "impact": impact(experiment or work.folder / "impact", asked=experiment is not None),
        "recipe": work.table,
    }


def rejects(work: FinishedRun) -> list[tuple[str, int]]:
    """Why records could not be read, the most frequent reason first."""
    reasons = Counter()
    for name in require_finished(work.folder / "rejects", REMEDY).files:
        with (work.folder / "rejects" / name).open("rb") as file:
            reasons.update(orjson.loads(line)["reason"].partition(": ")[0] for line in file)
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def rewritten(work: FinishedRun, told: LedgerSummary, personal: bool) -> list[dict]:
    """What was cut or replaced by reason: the types of personal data, or all else."""
    steps = [name for name, step in work.recipe.steps.items() if (step.NAME == PiiFilter.NAME) == personal]
    return told.rewritten.filter(pl.col("step").is_in(steps)).to_dicts()


def _tops(work: FinishedRun) -> list[dict]:
    """The passages that the corpus repeats most."""
    told = []
    for name in work.recipe.steps:
        top = work.whole(report_of(work.folder, name, "top"))
        told += [] if top is None else top.head(TOP).to_dicts()
    texts = without_personal([row["text"] for row in told])
    return [row | {"text": text} for row, text in zip(told, texts, strict=True)]


def benchmarks(work: FinishedRun) -> list[dict]:
    """Of each evaluation set how many items were looked for and found, and in how many documents."""
    frames = []
    for name in work.recipe.steps:
        items = work.whole(report_of(work.folder, name, "items"), ["benchmark", "searchable", "documents"])
        if items is not None:
            found = work.whole(report_of(work.folder, name, "found"), [ID, "benchmark"])
            by_set = items.group_by("benchmark").agg(
                pl.sum("searchable"), (pl.col("documents") > 0).sum().alias("found")
            )
            held = found.group_by("benchmark").agg(pl.col(ID).n_unique().alias("documents"))
            frames.append(by_set.join(held, on="benchmark", how="left").fill_null(0))
    return pl.concat(frames).sort("benchmark").to_dicts() if frames else []


def render(told: dict[str, Any]) -> str:
    """The page as HTML. All text is escaped by the templates; control characters are written out before."""
    style, script = ((TEMPLATES / name).read_text("utf-8") for name in ("style.css", "script.js"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    fixed = {"style": style, "script": script, "style_hash": hashes[0], "script_hash": hashes[1]}
    return environment(autoescape=True).get_template("page.html").render(**told, **fixed, HEIGHT=HEIGHT, MOST=MOST)
