"""gristmill why"""

import json

import click

from gristmill.flows.cli.options import work_folder


@click.command()
@click.argument("id")
@work_folder
@click.option("--json", "as_json", is_flag=True, help="Everything known, as JSON.")
def why(id, work, as_json):
    """Say what became of the document ID, by which step and rule, and all that was measured of it.

    \b
        gristmill why crawl.jsonl:17 --work work
    """
    from gristmill.flows.runs.explain import explain
    from gristmill.pipelines.storage.files import to_path

    story = explain(to_path(work), id)
    if as_json:
        click.echo(json.dumps(story, ensure_ascii=True, default=str))
        return
    verdict = "kept" if story["kept"] else f"removed by {story['step']}: {story['rule']}"
    click.echo(f"{click.style(ascii_safe(id), bold=True)}  {verdict}")
    for reason in story["violations"]:
        click.echo(f"  {reason['step']}.{reason['rule']}: {reason['value']:.6g} against {reason['threshold']:.6g}")
    if story["duplicate_of"]:
        click.echo(f"  duplicate of {ascii_safe(story['duplicate_of'])}, similarity {story['similarity']:.3g}")
    for part in story["rewrites"]:
        click.echo(f"  {part['step']} rewrote {part['spans']} spans ({part['bytes']:,} bytes): {part['reason']}")
    sizes = f"{story['bytes']:,} bytes read, {story['clean_bytes']:,} after rewriting"
    click.echo(f"  {sizes}; {story['shard']} row {story['row']}")
    for step, values in story["measures"].items():
        numbers = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in values.items()}
        click.echo(click.style(f"  {step}  " + "  ".join(f"{key} {n}" for key, n in numbers.items()), dim=True))


def ascii_safe(text: str) -> str:
    """Text from a document or its id with control characters shown, not obeyed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
