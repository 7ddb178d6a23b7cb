"""gristmill verify"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import console, say, say_json

STYLES = {"intact": "green", "damaged": "red", "unfinished": "yellow"}


@click.command()
@work_argument
@click.option("--json", "as_json", is_flag=True, help="Print folders, problems and unchecked files as JSON.")
@click.pass_context
def verify(context, work, as_json):
    """Verify everything finished in WORK: each file's size and checksum, each manifest, files that no manifest lists.

    WORK is a work folder, or a folder of tokens, tokenizers, models or an index. Nothing is changed. The exit code is
    1 if anything is damaged. The next run makes a removed file again, with the same bytes.

    \b
        gristmill verify work
        gristmill verify work --json | jq -r .problems[]
    """
    from rich.progress import Progress

    from gristmill.flows.runs.verify import verify as verify_folder
    from gristmill.pipelines.storage.files import to_path

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verify", total=None)
        found = verify_folder(to_path(work), lambda size, total: bar.update(task, total=total, advance=size))
    if as_json:
        folders = [folder._asdict() for folder in found.folders]
        body = {"folders": folders, "problems": found.problems, "unchecked": found.unchecked}
        say_json(body, indent=True)
    else:
        for problem in found.problems:
            say(problem)
        for folder in found.folders:
            say(f"  {folder.state:<12}", nl=False, fg=STYLES[folder.state])
            say(f"{folder.name:<34}{folder.files:>7,} files  {folder.bytes / 1e6:>10,.1f} MB")
        if found.unchecked:
            names = ", ".join(found.unchecked[:5]) + (", …" if len(found.unchecked) > 5 else "")
            say(f"{len(found.unchecked):,} files have no checksum: {names}")
    context.exit(1 if found.problems else 0)
