"""gristmill dedup"""

import click

from gristmill.flows.cli.options import Real, run_progress, work_options, writable
from gristmill.flows.cli.output import console, say

LEVELS = ["document", "sentence", "substring", "dataset"]


@click.command()
@click.option("--level", type=click.Choice(LEVELS), default="document", show_default=True, help="Unit to deduplicate.")
@click.option("--threshold", type=Real(0, 1), metavar="J", help="Jaccard similarity of near-duplicates [default: 0.8].")
@click.option(
    "--near-threshold", type=Real(0, 1), metavar="J", help="Jaccard similarity of passages, for --level sentence."
)
@click.option("--against", multiple=True, metavar="OTHER", help="Corpus to compare with, for --level dataset.")
@click.option("--against-index", "indices", multiple=True, metavar="FOLDER", help="Saved index to compare with.")
@click.option("--save-index", "saved", metavar="FOLDER", help="Save an index of the kept documents.")
@work_options
def dedup(corpus, level, threshold, near_threshold, against, indices, saved, work, engine, changes):
    """Deduplicate CORPUS….

    \b
    --level document   drops exact and near copies of documents
    --level sentence   cuts repeated lines (or another repeated_passages.unit),
                       with --near-threshold also nearly equal ones
    --level substring  cuts repeated spans of 50 words, wherever they begin
    --level dataset    drops copies of documents in the corpora of --against

    \b
        gristmill dedup crawl.jsonl.zst --threshold 0.7 --output work
        gristmill dedup crawl.jsonl.zst --level sentence --set repeated_passages.unit=paragraph
        gristmill dedup crawl.jsonl.zst --level sentence --near-threshold 0.9
        gristmill dedup crawl.jsonl.zst --level substring --set substrings.length=100
        gristmill dedup crawl.jsonl.zst --level dataset --against books.parquet
        gristmill dedup may.jsonl.zst --save-index may.index --output may
        gristmill dedup june.jsonl.zst --against-index may.index --output june
    """
    from functools import partial

    from gristmill.flows.clean.dedup_recipes import indexed_recipe
    from gristmill.flows.cli.clean import report, run
    from gristmill.pipelines.errors import WorkError

    save = partial(keep, engine=engine)
    recipe = indexed_recipe(level, corpus, against, indices, threshold, changes, near_threshold, work, save)
    folder = writable(work)
    summary = run(recipe, folder, engine)
    report(summary, work)
    if level == "sentence":
        most_repeated(folder / "steps" / "repeated_passages" / "top")
        console.print(f"  {work}/steps/repeated_passages/found   cut passages, and the documents that keep them")
    elif level == "substring":
        console.print(f"  {work}/steps/substrings/found   cut spans, and the documents that keep them")
    else:
        console.print(f"  {work}/steps/near_duplicates/clusters   clusters of near-duplicates")
        console.print(f"  gristmill duplicates {work} ID   the duplicates of one document")
    if saved and not summary["clean"]:
        raise WorkError(f"no document is kept, so there is nothing to index in {saved}")
    if saved:
        keep(recipe, [f"{work}/clean"], saved, engine)
        console.print(f"  {saved}   the index: gristmill dedup NEW --against-index {saved}")


def most_repeated(folder) -> None:
    """Print the ten passages with the most copies."""
    from gristmill.pipelines.storage.shards import list_shards, read_shard

    rows = [row for path in list_shards(folder) for row in read_shard(path).to_pylist()]
    say()
    say(f"{'copies':>10}{'documents':>12}  passage")
    for row in rows[:10]:
        text = " ".join(row["text"].split())[:80]
        say(f"{row['copies']:>10,}{row['documents']:>12,}  {text}")


def keep(recipe, paths, index, engine) -> None:
    """Write an index, with a progress bar."""
    from gristmill.flows.clean.dedup_index import save_index

    folder = writable(index)
    progress = run_progress(folder)
    try:
        save_index(recipe, paths, folder, engine, progress)
    finally:
        progress.stop()
