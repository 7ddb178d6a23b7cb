"""Write what README and README.zh-CN.md show: the tree of files, the funnel of `make run`, the benchmark tables.

    python -m benchmarks.readme [--work work]

The tree is made of the modules' own first lines; the funnel of WORK/summary.json; the tables of what
`python -m benchmarks` measured last.
"""

import ast
import json
import re
from pathlib import Path

import click

from benchmarks.harness import Figures, table
from benchmarks.rows import RESULTS

REPOSITORY = Path(__file__).resolve().parents[1]
README, CHINESE = REPOSITORY / "README.md", REPOSITORY / "README.zh-CN.md"
ROOMS = ("pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows", "benchmarks")


def tree() -> str:
    """Every module, under its folder, with the first line of its docstring."""
    lines = []
    for room in ROOMS:
        for folder in sorted({path.parent for path in (REPOSITORY / room).rglob("*.py")}):
            lines.append(f"{folder.relative_to(REPOSITORY)}/")
            for path in sorted(folder.glob("*.py")):
                says = first_line(path)
                name = "" if path.name == "__init__.py" else path.name
                if name:
                    lines.append(f"  {name:<24}{says}")
                elif says:
                    lines[-1] = f"{lines[-1]:<26}{says}"
    return "\n".join(lines)


def first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return text.partition("\n")[0].replace("``", "").rstrip(".")


def replace(text: str, name: str, block: str) -> str:
    """Put ``block`` between the markers of a section."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        raise click.ClickException(f"README.md has no section {begin} … {end}")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{block}\n{end}", text, flags=re.DOTALL)


@click.command()
@click.option("--work", type=Path, help="A finished work folder: its funnel is shown.")
def main(work: Path | None):
    blocks = {"tree": f"```\n{tree()}\n```"}
    if work:
        from gristmill.flows.clean.funnel import funnel
        from gristmill.flows.cli.clean import render

        blocks["funnel"] = f"```\n{render(funnel(json.loads((work / 'summary.json').read_text())))}\n```"
    if RESULTS.exists():
        measured = json.loads(RESULTS.read_text())
        sides = {
            name: [side and Figures(**side) for side in (row["ours"], row["peer"])] for name, row in measured.items()
        }
        blocks["benchmarks"] = table(sides)
    for path in (README, CHINESE):
        text = path.read_text("utf-8")
        for name, block in blocks.items():
            text = replace(text, name, block)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
