"""gristmill duplicates"""

from typing import Any

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say, say_json

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
    from gristmill.flows.runs.clusters import find_cluster
    from gristmill.pipelines.storage.files import to_path

    members = find_cluster(to_path(work), step, id)
    if as_json:
        rows = [member._asdict() for member in members]
        return say_json(rows, indent=True)
    texts = {member.id: member.text for member in members}
    for member in members:
        say(member.id, nl=False, bold=True)
        size = f"{len(member.text):,} characters"
        if member.duplicate_neighbor is None:
            say(f"  no duplicate of another, {size}")
            continue
        alike = f"similarity {member.similarity:.3g}"
        alike += f", containment {member.containment:.0%}" if member.containment is not None else ""
        say(f"  duplicate of {member.duplicate_neighbor}: {alike}, {size}")
        if member.duplicate_of != member.duplicate_neighbor:
            say(f"  that one was removed, too; kept: {member.duplicate_of or 'none'}")
        if member.duplicate_neighbor in texts and member.duplicate_neighbor != member.id:
            say_differences(texts[member.duplicate_neighbor], member.text)


def say_differences(old: str, new: str) -> None:
    """Print the differences of two texts; shorten equal text."""
    from gristmill.flows.runs.clusters import word_diff

    say("  ", nl=False)
    for sign, text in word_diff(old, new):
        if sign == " " and len(text) > 2 * SAME + 20:
            text = f"{text[:SAME]} … {text[-SAME:]}"
        begin, end = MARKS.get(sign, ("", ""))
        space = text[: len(text) - len(text.lstrip())] if begin else ""
        say(space, lines=True, nl=False)
        say(begin + text[len(space) :] + end, lines=True, nl=False, **COLORS[sign])
    say("\n", lines=True)
