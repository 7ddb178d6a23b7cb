"""Write the funnels in README.md, README.zh-CN.md and docs/funnel.md from a finished run.

    python -m benchmarks.readme work

The READMEs get ten rows; docs/funnel.md gets every step and rule. `make run` makes the run.
"""

import json
import re
from pathlib import Path

import click

from gristmill.flows.clean.funnel import funnel
from gristmill.flows.cli.output import render

REPOSITORY = Path(__file__).resolve().parents[1]
README, CHINESE = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"
WHOLE = REPOSITORY / "docs" / "funnel.md"
STEPS = 7  # in the READMEs; with the rows "in", "other steps" and "clean" these are ten


def shortened(summary: dict) -> dict:
    """Return the summary with the STEPS that removed most, without their rules, and one sum for the other steps."""
    by_size = sorted(summary["steps"], key=lambda name: -summary["steps"][name]["removed"])
    largest = set(by_size[:STEPS])
    totals = {key: sum(summary["steps"][name][key] for name in by_size[STEPS:]) for key in ("removed", "bytes_removed")}
    steps = {name: step | {"rules": {}} for name, step in summary["steps"].items() if name in largest}
    return summary | {"steps": steps | {"other steps": totals | {"rules": {}}}}


def replace_block(text: str, block: str) -> str:
    """Return the text with ``block`` between its funnel markers."""
    begin, end = "<!-- funnel -->", "<!-- /funnel -->"
    if begin not in text or end not in text:
        raise click.ClickException(f"the page has no section {begin} … {end}; add both markers")
    fenced = f"{begin}\n```\n{block}\n```\n{end}"
    return re.sub(f"{begin}.*?{end}", lambda _: fenced, text, flags=re.DOTALL)


def drawn(summary: dict, rules: bool = True) -> str:
    """Return the funnel as text without spaces at line ends; without rules, it has the ten rows of the READMEs."""
    text = render(funnel(summary)) if rules else render(funnel(shortened(summary))).replace("violations", "")
    return "\n".join(line.rstrip() for line in text.splitlines())


@click.command()
@click.argument("work", type=Path)
def main(work: Path):
    summary = json.loads((work / "summary.json").read_text())
    for path, block in ((README, drawn(summary, False)), (CHINESE, drawn(summary, False)), (WHOLE, drawn(summary))):
        path.write_text(replace_block(path.read_text("utf-8"), block), "utf-8")


if __name__ == "__main__":
    main()
