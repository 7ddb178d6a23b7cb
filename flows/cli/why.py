"""gristmill why"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say, say_json, say_measures, say_violations


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
        say_json(history)
        return
    verdict = "kept" if history["kept"] else f"removed by {history['step']}: {history['rule']}"
    say(id, nl=False, bold=True)
    say(f"  {verdict}")
    say_violations(history["violations"])
    if history["duplicate_neighbor"]:
        say(f"  duplicate of {history['duplicate_neighbor']}, similarity {history['similarity']:.3g}", nl=False)
        say(f", with marks {history['mark_similarity']:.3g}" if history["mark_similarity"] is not None else "")
        if history["duplicate_of"] != history["duplicate_neighbor"]:
            say(f"  that one was removed, too; kept: {history['duplicate_of'] or 'none'}")
    for each in history["rewrites"]:
        say(f"  {each['step']} rewrote {each['spans']} spans ({each['bytes']:,} bytes): {each['reason']}")
    sizes = f"{history['bytes']:,} bytes read, {history['clean_bytes']:,} after rewriting"
    say(f"  {sizes}; {history['shard']} row {history['row']}")
    say_measures(history["measures"])
