"""gristmill what-if"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say, say_json


@click.command()
@work_argument
@click.argument("changes", nargs=-1, required=True, metavar="STEP.SETTING=VALUE...")
@click.option("--json", "as_json", is_flag=True, help="Print both summaries as JSON.")
def what_if(work, changes, as_json):
    """Recount the run in WORK under other thresholds, from its measures. Nothing is written, no text is read.

    \b
        gristmill what-if work gopher.min_words=30
        gristmill what-if work gopher.profiles.zh.min_words=20 repetition.max_dup_lines=0.5
    """
    from gristmill.flows.runs.what_if import what_if
    from gristmill.pipelines.storage.files import to_path

    before, after = what_if(to_path(work), changes)
    if as_json:
        say_json({"before": before, "after": after})
        return
    say(f"{'':32}{'now':>12}{'then':>12}{'change':>12}")
    for name, now, then in rows(before, after):
        if now or then:
            say(f"{name:32}{now:>12,}{then:>12,}{then - now:>+12,}")


def rows(before: dict, after: dict):
    """Yield name, count before and count after: of the totals, then of each step's rules."""
    yield "clean", before["clean"], after["clean"]
    yield "removed", before["removed"], after["removed"]
    for step in before["steps"]:
        was, is_ = before["steps"][step]["rules"], after["steps"][step]["rules"]
        for rule in sorted({*was, *is_}):
            yield f"  {step}.{rule}", *(r.get(rule, {}).get("removed", 0) for r in (was, is_))
