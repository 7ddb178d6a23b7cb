"""gristmill what-if"""

import click

from gristmill.flows.cli.options import work_folder


@click.command()
@click.argument("changes", nargs=-1, required=True, metavar="STEP.SETTING=VALUE...")
@work_folder
@click.option("--json", "as_json", is_flag=True, help="Both summaries as JSON.")
def what_if(changes, work, as_json):
    """Recount a finished run with other thresholds, from its measures: nothing is written, no text is read.

    \b
        gristmill what-if gopher.min_words=30 --work work
        gristmill what-if gopher.profiles.zh.min_words=20 repetition.max_dup_lines=0.5
    """
    import orjson

    from gristmill.flows.runs.what_if import what_if
    from gristmill.pipelines.storage.files import to_path

    before, after = what_if(to_path(work), changes)
    if as_json:
        click.echo(orjson.dumps({"before": before, "after": after}).decode())
        return
    click.echo(f"{'':32}{'now':>12}{'then':>12}{'change':>12}")
    for name, now, then in rows(before, after):
        if now or then:
            click.echo(f"{name:32}{now:>12,}{then:>12,}{then - now:>+12,}")


def rows(before: dict, after: dict):
    """Name, count before, count after: the totals, then each step's rules."""
    yield "clean", before["clean"], after["clean"]
    yield "removed", before["removed"], after["removed"]
    for step in before["steps"]:
        was, is_ = before["steps"][step]["rules"], after["steps"][step]["rules"]
        for rule in sorted({*was, *is_}):
            yield f"  {step}.{rule}", *(r.get(rule, {}).get("removed", 0) for r in (was, is_))
