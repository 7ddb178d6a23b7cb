"""gristmill status"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say, say_json

STYLES = {
    "finished": "green",
    "running": "cyan",
    "failed": "red",
    "stopped": "yellow",
    "partial": "yellow",
    "stale": "magenta",
}


@click.command()
@work_argument
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
def status(work, as_json):
    """Show the progress of the run in WORK: each folder is finished, running, failed, stopped, stale or waiting.

    A stale folder was made with other settings or other input than the last run's; the next run makes it anew.
    Tokenizers, tokens, models and the report follow; each is finished or partial.

    \b
        gristmill status work
        gristmill status work --json | jq .run
    """
    from gristmill.flows.runs.status import status
    from gristmill.pipelines.storage.files import to_path

    found = status(to_path(work))
    if as_json:
        folders = [folder._asdict() for folder in found.folders]
        return say_json({"run": found.run, "folders": folders}, indent=True)
    say(found.run)
    for folder in found.folders:
        shown = ("documents", "rejects", "tokens")
        counts = ", ".join(f"{folder.counts[key]:,} {key}" for key in shown if key in folder.counts)
        parts = f"{folder.parts:>6,} parts  {counts}" if folder.parts else ""
        say(f"  {folder.state:<10}", nl=False, fg=STYLES.get(folder.state))
        say(f"{folder.name:<32}{parts}".rstrip())
