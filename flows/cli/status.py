"""gristmill status"""

import click

from gristmill.flows.escape import LINE

STYLES = {"finished": "green", "running": "cyan", "failed": "red", "stopped": "yellow", "stale": "magenta"}


@click.command()
@click.argument("work", default="work")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(work, as_json):
    """Show how far the run in WORK is: each of its folders finished, running, failed, stopped, stale or waiting.

    Stale is what was made of other settings or input than the last run's; running the command again makes it anew.

    \b
        gristmill status work
        gristmill status work --json | jq .run
    """
    import orjson

    from gristmill.flows.runs.status import status
    from gristmill.pipelines.storage.files import to_path

    told = status(to_path(work))
    if as_json:
        folders = [folder._asdict() for folder in told.folders]
        return click.echo(orjson.dumps({"run": told.run, "folders": folders}, option=orjson.OPT_INDENT_2))
    click.echo(told.run.translate(LINE))
    for folder in told.folders:
        counts = ", ".join(f"{folder.counts[key]:,} {key}" for key in ("documents", "rejects") if key in folder.counts)
        state = click.style(f"{folder.state:<10}", fg=STYLES.get(folder.state))
        click.echo(f"  {state}{folder.name:<32}{folder.parts:>6,} parts  {counts}".rstrip())
