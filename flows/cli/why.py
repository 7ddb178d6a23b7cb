"""gristmill why"""

import json

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.escape import LINE


@click.command()
@work_argument
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the document's history as JSON.")
def why(work, id, as_json):
    """Explain why the run in WORK kept or removed the document ID: its violations, rewrites and measures.

    \b
        gristmill why work crawl.jsonl:17
    """
    from gristmill.flows.runs.explain import explain
    from gristmill.pipelines.storage.files import to_path

    history = explain(to_path(work), id)
    if as_json:
        click.echo(json.dumps(history, ensure_ascii=True, default=str))
        return
    verdict = "kept" if history["kept"] else f"removed by {history['step']}: {history['rule']}"
    click.echo(f"{click.style(id.translate(LINE), bold=True)}  {verdict}")
    for each in history["violations"]:
        click.echo(f"  {each['step']}.{each['rule']}: {each['value']:.6g} against {each['threshold']:.6g}")
    if history["duplicate_of"]:
        original = history["duplicate_of"].translate(LINE)
        click.echo(f"  duplicate of {original}, similarity {history['similarity']:.3g}")
    for each in history["rewrites"]:
        click.echo(f"  {each['step']} rewrote {each['spans']} spans ({each['bytes']:,} bytes): {each['reason']}")
    sizes = f"{history['bytes']:,} bytes read, {history['clean_bytes']:,} after rewriting"
    click.echo(f"  {sizes}; {history['shard']} row {history['row']}")
    for step, values in history["measures"].items():
        numbers = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in values.items()}
        click.echo(click.style(f"  {step}  " + "  ".join(f"{key} {n}" for key, n in numbers.items()), dim=True))
