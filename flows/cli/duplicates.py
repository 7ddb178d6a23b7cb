"""gristmill duplicates"""

from typing import Any

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.escape import JSON, LINE, TERMINAL

COLORS: dict[str, dict[str, Any]] = {
    " ": {"dim": True},
    "-": {"fg": "red", "strikethrough": True},
    "+": {"fg": "green", "bold": True},
}
MARKS = {"-": ("[-", "-]"), "+": ("{+", "+}")}  # as in `git diff --word-diff`
SAME = 60  # characters of equal text to show before and after a change


@click.command()
@work_argument
@click.argument("id")
@click.option("--step", default="near_duplicates", show_default=True, help="Name of the step that found the clusters.")
@click.option("--json", "as_json", is_flag=True, help="Print the documents and their texts as JSON.")
def duplicates(work, id, step, as_json):
    """Show the near and exact duplicates of the document ID, with the words that differ from the kept document.

    [-words-] are only in the kept document, {+words+} only in the duplicate.

    \b
        gristmill duplicates work crawl.jsonl:17
    """
    import orjson

    from gristmill.flows.runs.clusters import find_cluster
    from gristmill.pipelines.storage.files import to_path

    members = find_cluster(to_path(work), step, id)
    if as_json:
        rows = [member._asdict() for member in members]
        return click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode().translate(JSON))
    texts = {member.id: member.text for member in members}
    for member in members:
        name = click.style(member.id.translate(LINE), bold=True)
        size = f"{len(member.text):,} characters"
        if member.duplicate_of is None:
            click.echo(f"{name}  no duplicate of another, {size}")
            continue
        alike = f"similarity {member.similarity:.3g}"
        alike += f", containment {member.containment:.0%}" if member.containment is not None else ""
        click.echo(f"{name}  duplicate of {member.duplicate_of.translate(LINE)}: {alike}, {size}")
        if member.duplicate_of in texts:
            click.echo(f"  {differences(texts[member.duplicate_of], member.text)}\n")


def differences(old: str, new: str) -> str:
    """Format the differences of two texts; shorten equal text and escape control characters."""
    from gristmill.flows.runs.clusters import word_diff

    runs = []
    for sign, text in word_diff(old, new):
        if sign == " " and len(text) > 2 * SAME + 20:
            text = f"{text[:SAME]} … {text[-SAME:]}"
        begin, end = MARKS.get(sign, ("", ""))
        space = text[: len(text) - len(text.lstrip())] if begin else ""
        runs.append(space + click.style(begin + text[len(space) :].translate(TERMINAL) + end, **COLORS[sign]))
    return "".join(runs)
