"""The report: everything told of a work folder as one HTML file that asks nothing of any network.

The pictures are SVG made here, not by a plotting library: plotly's script is 4.8 MB, wants a policy that lets it write
styles, and draws nothing before it has run. A page of ours is a few hundred kB, reads without scripts, and its policy
lets nothing run but the one script whose hash it names.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from upath import UPath

from flows.cli.escape import LINE, TERMINAL
from flows.plan import report_of
from flows.report.duplicates import duplicates
from flows.report.ledger import read_ledger
from flows.report.measures import steps
from flows.report.pictures import HEIGHT, number
from flows.report.samples import samples
from flows.report.training import runs, tokenizers, tokens
from flows.report.work import Work
from pipelines.files import write_whole

TEMPLATES = Path(__file__).parent / "templates"
TOP = 25  # repeated passages shown
MOST = 24  # sources and languages shown


def report(folder: UPath, target: UPath) -> int:
    """Write the report of a finished work folder; returns its size in bytes. The same folder gives the same bytes."""
    page = render(tell(Work(folder))).encode()
    with write_whole(target) as file:
        file.write(page)
    return len(page)


def tell(work: Work) -> dict[str, Any]:
    """All that the page says."""
    told = read_ledger(work)
    return {
        "name": work.recipe.name,
        "about": work.recipe.about,
        "version": work.version,
        "summary": work.summary,
        "steps": steps(work, told),
        "sources": told.sources.to_dicts(),
        "languages": told.languages.to_dicts(),
        "rewritten": told.rewritten.to_dicts(),
        "samples": samples(work, told.chosen),
        "duplicates": duplicates(work, told.sources),
        "repeats": _tops(work),
        "benchmarks": _benchmarks(work),
        "tokenizers": tokenizers(work),
        "tokens": tokens(work),
        "runs": runs(work),
        "recipe": work.table,
    }


def _tops(work: Work) -> list[dict]:
    """The passages that the corpus repeats most."""
    told = []
    for name in work.recipe.steps:
        top = work.whole(report_of(work.folder, name, "top"))
        told += [] if top is None else top.head(TOP).to_dicts()
    return told


def _benchmarks(work: Work) -> list[dict]:
    """Of each evaluation set how many items were looked for and found, and in how many documents."""
    told = []
    for name in work.recipe.steps:
        items = work.whole(report_of(work.folder, name, "items"))
        found = work.whole(report_of(work.folder, name, "found"), ["id", "benchmark"]) if items is not None else None
        for (benchmark,), rows in items.group_by("benchmark") if items is not None else ():
            documents = found.filter(benchmark=benchmark)["id"].n_unique()
            told.append({"benchmark": benchmark, "found": rows.height, "documents": documents})
    return sorted(told, key=lambda row: row["benchmark"])


def render(told: dict[str, Any]) -> str:
    """The page as HTML. All text is escaped by the templates; control characters are written out before."""
    style, script = ((TEMPLATES / name).read_text("utf-8") for name in ("style.css", "script.js"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "n": lambda value: f"{value:,}".replace("-", "−"),
        "mb": megabytes,
        "pct": percent,
        "value": number,
        "line": lambda text: str(text).translate(LINE),
        "shown": lambda text: str(text).translate(TERMINAL),
        "json": lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(),
    }
    fixed = {"style": style, "script": script, "style_hash": hashes[0], "script_hash": hashes[1]}
    return environment.get_template("page.html").render(**told, **fixed, HEIGHT=HEIGHT, MOST=MOST)


def megabytes(size: int) -> str:
    """Bytes as people read them.

    >>> megabytes(98934903), megabytes(1234)
    ('98.9 MB', '1.2 kB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:,} bytes"


def percent(part: float, whole: float = 1) -> str:
    """A share; one that is not zero never looks like it.

    >>> percent(774, 1000), percent(1, 100000), percent(0, 0)
    ('77.4%', '<0.1%', '0%')
    """
    share = part / whole if whole else 0
    if not share:
        return "0%"
    return "<0.1%" if share < 0.0005 else f"{share:.1%}"
