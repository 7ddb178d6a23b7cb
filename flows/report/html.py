"""Report of a work folder as one HTML file that loads nothing from a network.

The plots are SVG, without a plotting library: plotly's script has 4.8 MB, needs a policy that allows inline styles, and
draws nothing before it has run. This page has a few hundred kB, is readable without scripts, and its policy allows only
the one script whose hash it contains.
"""

import base64
import hashlib
from collections import Counter
from typing import Any

import orjson
import polars as pl
from upath import UPath

from gristmill.filters.pii.detect import ON_REQUEST, TYPES
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.rules.gopher import Gopher
from gristmill.flows.clean.plan import report_of
from gristmill.flows.clean.run import REMEDY
from gristmill.flows.report.duplicates import duplicates
from gristmill.flows.report.format import TEMPLATES, environment
from gristmill.flows.report.impact import impact
from gristmill.flows.report.ledger import LedgerSummary, read_ledger
from gristmill.flows.report.models import runs, tokenizers, tokens
from gristmill.flows.report.rules import guessed, plots, steps
from gristmill.flows.report.samples import samples, without_personal
from gristmill.flows.report.svg import HEIGHT
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.made import made
from gristmill.pipelines.inputs.column_types import holds_strings
from gristmill.pipelines.inputs.plain_columns import holds_text
from gristmill.pipelines.schema import DECLARED, DOCUMENT, ID
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.shards import list_shards, shard_schema

PAGE = "report/index.html"  # in the work folder, unless another is named
TOP = 25  # repeated passages to show
MOST = 24  # sources and languages to show
MOSTLY_SHORT = 0.25  # share of documents below ``min_words`` from which on the report names a recipe for short text


def report(folder: UPath, target: UPath, experiment: UPath | None = None) -> int:
    """Write the report of a finished work folder, and of an experiment with its data; return its size in bytes.

    The same folders give the same bytes.
    """
    page = render(collect(FinishedRun(folder), experiment)).encode()
    with atomic_write(target) as file:
        file.write(page)
    return len(page)


def collect(work: FinishedRun, experiment: UPath | None) -> dict[str, Any]:
    """Collect all values of the page."""
    ledger = read_ledger(work)
    return {
        "name": work.recipe.name,
        "about": work.recipe.about,
        "version": work.version,
        "made": made(work),
        "summary": work.summary,
        "short": too_short(work),
        "steps": [step | {"plots": plots(work, step)} for step in steps(work, ledger)],
        "rejects": rejects(work),
        "sources": ledger.sources.to_dicts(),
        "languages": ledger.languages.to_dicts(),
        "guessed": guessed(work, ledger),
        "personal": rewritten(work, ledger, True),
        "addresses_left": addresses_left(work),
        "unsearched": unsearched(work),
        "unread_columns": unread_columns(work),
        "cut": rewritten(work, ledger, False),
        "samples": samples(work, ledger.chosen),
        "duplicates": duplicates(work, ledger.sources),
        "repeats": _tops(work),
        "benchmarks": benchmarks(work),
        "tokenizers": tokenizers(work),
        "tokens": tokens(work),
        "runs": runs(work),
        "impact": impact(experiment or work.folder / "impact", asked=experiment is not None),
        "recipe": work.table,
    }


def rejects(work: FinishedRun) -> list[tuple[str, int]]:
    """Return why records could not be read, with counts, the most frequent reason first."""
    reasons: Counter[str] = Counter()
    for name in require_finished(work.folder / "rejects", REMEDY).files:
        with (work.folder / "rejects" / name).open("rb") as file:
            reasons.update(orjson.loads(line)["reason"].partition(": ")[0] for line in file)
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))


def too_short(work: FinishedRun) -> int:
    """Return the number of documents below ``min_words``, the most of any step; 0 if they are few.

    Most of them violate other rules as well, such as the minimum of sentences.
    """
    names = [name for name, step in work.recipe.steps.items() if step.NAME == Gopher.NAME]
    rules = [work.summary["steps"][name]["rules"].get("words_too_low", {"violations": 0}) for name in names]
    short = max((counts["violations"] for counts in rules), default=0)
    return short if short >= MOSTLY_SHORT * work.summary["documents_in"] else 0


def rewritten(work: FinishedRun, ledger: LedgerSummary, personal: bool) -> list[dict]:
    """Return the rewrites by reason: of personal data, or all others."""
    steps = [name for name, step in work.recipe.steps.items() if (step.NAME == PiiFilter.NAME) == personal]
    return ledger.rewrites.filter(pl.col("step").is_in(steps)).to_dicts()


def unsearched(work: FinishedRun) -> list[str]:
    """Return the types of personal data that no step searched for."""
    searched = {type for step in work.recipe.steps.values() if isinstance(step, PiiFilter) for type in step.types}
    return [type for type in (*TYPES, *ON_REQUEST) if type not in searched]


def unread_columns(work: FinishedRun) -> list[str]:
    """Return the carried columns that hold text in which no step searched for personal data; nested ones say so."""
    if not (shards := list_shards(work.folder / "clean")):
        return []
    schema = shard_schema(shards[0])
    searched = {name for step in work.recipe.steps.values() if isinstance(step, PiiFilter) for name in step.columns}
    ours = {*DOCUMENT.names, DECLARED, *work.recipe.columns, *searched}
    fields = [field for field in schema if field.name not in ours and holds_text(field.type)]
    return [field.name if holds_strings(field) else f"{field.name} (nested)" for field in fields]


def addresses_left(work: FinishedRun) -> int:
    """Return the number of IP addresses that the scope of the steps for personal data left in place."""
    steps = [name for name, step in work.recipe.steps.items() if step.NAME == PiiFilter.NAME]
    column = "private_addresses"
    return sum(int(work.measures(name, part, [column])[column].sum()) for name in steps for part in work.parts)


def _tops(work: FinishedRun) -> list[dict]:
    """Return the most frequent passages."""
    passages = []
    for name in work.recipe.steps:
        top = work.whole(report_of(work.folder, name, "top"))
        passages += [] if top is None else top.head(TOP).to_dicts()
    texts = without_personal([row["text"] for row in passages])
    return [row | {"text": text} for row, text in zip(passages, texts, strict=True)]


def benchmarks(work: FinishedRun) -> list[dict]:
    """Return for each evaluation set the numbers of items searched and found, and of documents that contain them."""
    frames = []
    for name in work.recipe.steps:
        items = work.whole(report_of(work.folder, name, "items"), ["benchmark", "searchable", "documents"])
        if items is None:  # other steps have a report "found" too, with other columns
            continue
        if (found := work.whole(report_of(work.folder, name, "found"), [ID, "benchmark"])) is None:
            continue
        by_set = items.group_by("benchmark").agg(pl.sum("searchable"), (pl.col("documents") > 0).sum().alias("found"))
        held = found.group_by("benchmark").agg(pl.col(ID).n_unique().alias("documents"))
        frames.append(by_set.join(held, on="benchmark", how="left").fill_null(0))
    return pl.concat(frames).sort("benchmark").to_dicts() if frames else []


def render(values: dict[str, Any]) -> str:
    """Return the page as HTML. The templates escape all text and write control characters out."""
    style, script = ((TEMPLATES / name).read_text("utf-8") for name in ("style.css", "script.js"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    fixed = {"style": style, "script": script, "style_hash": hashes[0], "script_hash": hashes[1]}
    return environment(autoescape=True).get_template("page.html").render(**values, **fixed, HEIGHT=HEIGHT, MOST=MOST)
