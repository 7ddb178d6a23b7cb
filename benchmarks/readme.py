"""Write the tables and charts of speed, or the funnels of a finished run, into README.md and docs.

    python -m benchmarks.readme
    python -m benchmarks.readme work

Without a work folder: docs/figures.md and the charts get the figures that ``python -m benchmarks all`` saved. With one,
that `make run` makes: the READMEs get a funnel of ten rows, and docs/funnel.md one of every step and rule.
"""

import json
import re
from pathlib import Path

import click

from benchmarks.harness import Figures, table
from benchmarks.rows import ROWS
from benchmarks.sides import RESULTS
from benchmarks.speed_chart import chart
from gristmill.flows.clean.funnel import funnel
from gristmill.flows.cli.output import render

REPOSITORY = Path(__file__).resolve().parents[1]
README, CHINESE = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"
WHOLE, SPEEDS = REPOSITORY / "docs" / "funnel.md", REPOSITORY / "docs" / "figures.md"
CHARTS = {  # marker of the table -> picture, title
    "commands": ("docs/speed-commands.svg", "Whole commands: times as fast as the peer, per CPU second"),
    "kernels": ("docs/speed-kernels.svg", "Kernels: times as fast as the peer, per CPU second"),
}
STEPS = 7  # in the READMEs; with the rows "in", "other steps" and "clean" these are ten


def shortened(summary: dict) -> dict:
    """Return the summary with the STEPS that removed most, without their rules, and one sum for the other steps."""
    by_size = sorted(summary["steps"], key=lambda name: -summary["steps"][name]["removed"])
    largest = set(by_size[:STEPS])
    totals = {key: sum(summary["steps"][name][key] for name in by_size[STEPS:]) for key in ("removed", "bytes_removed")}
    steps = {name: step | {"rules": {}} for name, step in summary["steps"].items() if name in largest}
    return summary | {"steps": steps | {"other steps": totals | {"rules": {}}}}


def replace_block(text: str, name: str, block: str) -> str:
    """Return the text with ``block`` between the markers of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise click.ClickException(f"the page has no section {begin} … {end}; add both markers")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{block}\n{end}", text, flags=re.DOTALL)


def drawn(summary: dict, rules: bool = True) -> str:
    """Return the funnel as text without spaces at line ends; without rules, it has the ten rows of the READMEs."""
    text = render(funnel(summary)) if rules else render(funnel(shortened(summary))).replace("violations", "")
    return "\n".join(line.rstrip() for line in text.splitlines())


def measured(kernel: bool) -> dict[str, tuple[Figures, dict[str, Figures]]]:
    """Return the saved figures of the kernels, or of the whole commands, in the order of the rows."""
    if not RESULTS.exists():
        raise click.ClickException(f"{RESULTS} is missing; `python -m benchmarks all` makes it")
    saved = json.loads(RESULTS.read_text())
    return {
        name: (Figures(**saved[name]["ours"]), {peer: Figures(**f) for peer, f in saved[name]["peers"].items()})
        for name in ROWS
        if name in saved and saved[name]["kernel"] == kernel and saved[name]["peers"]
    }


def write_speeds() -> None:
    text = SPEEDS.read_text("utf-8")
    for name, (picture, title) in CHARTS.items():
        results = measured(kernel=name == "kernels")
        text = replace_block(text, name, table(results))
        (REPOSITORY / picture).write_text(chart(results, title), "utf-8")
    SPEEDS.write_text(text, "utf-8")


def write_funnels(work: Path) -> None:
    summary = json.loads((work / "summary.json").read_text())
    for path, block in ((README, drawn(summary, False)), (CHINESE, drawn(summary, False)), (WHOLE, drawn(summary))):
        path.write_text(replace_block(path.read_text("utf-8"), "funnel", f"```\n{block}\n```"), "utf-8")


@click.command()
@click.argument("work", type=Path, required=False)
def main(work: Path | None):
    write_funnels(work) if work else write_speeds()


if __name__ == "__main__":
    main()
