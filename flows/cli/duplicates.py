"""gristmill duplicates"""

import click

from gristmill.flows.cli.options import work_folder
from gristmill.flows.escape import JSON, LINE, TERMINAL

COLORS = {" ": {"dim": True}, "-": {"fg": "red", "strikethrough": True}, "+": {"fg": "green", "bold": True}}
MARKS = {"-": ("[-", "-]"), "+": ("{+", "+}")}  # as `git diff --word-diff` has them
SAME = 60  # characters to show of what is the same, before and after a change


@click.command()
@click.argument("id")
@work_folder
@click.option("--step", default="near_duplicates", show_default=True, help="The step that found the clusters.")
@click.option("--json", "as_json", is_flag=True, help="The members with their texts, as JSON.")
def duplicates(id, work, step, as_json):
    """Show the near and exact copies of the document ID, and word by word how each differs from the one that stayed.

    [-words-] are only in the one that stayed, {+words+} only in the member.

    \b
        gristmill duplicates crawl.jsonl:17 --work work
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
            click.echo(f"{name}  is a duplicate of none, {size}")
            continue
        alike = f"similarity {member.similarity:.3g}"
        alike += f", {member.containment:.0%} of it contained" if member.containment is not None else ""
        click.echo(f"{name}  duplicate of {member.duplicate_of.translate(LINE)}: {alike}, {size}")
        if member.duplicate_of in texts:
            click.echo(f"  {shown(texts[member.duplicate_of], member.text)}\n")


def shown(old: str, new: str) -> str:
    """The differences in a line or more, what is the same cut short, nothing in it that a terminal obeys."""
    from gristmill.flows.runs.clusters import word_diff

    pieces = []
    for sign, text in word_diff(old, new):
        if sign == " " and len(text) > 2 * SAME + 20:
            text = f"{text[:SAME]} … {text[-SAME:]}"
        begin, end = MARKS.get(sign, ("", ""))
        space = text[: len(text) - len(text.lstrip())] if begin else ""
        pieces.append(space + click.style(begin + text[len(space) :].translate(TERMINAL) + end, **COLORS[sign]))
    return "".join(pieces)
