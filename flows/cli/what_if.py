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

    found = what_if(to_path(work), changes)
    if as_json:
        say_json(found._asdict())
    else:
        say(str(found), lines=True)
