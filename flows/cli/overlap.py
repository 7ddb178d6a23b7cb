"""gristmill overlap"""

import click

from gristmill.flows.cli.options import Real, run_progress, work_options, writable
from gristmill.flows.cli.output import say, say_json, say_table
from gristmill.flows.escape import LINE

MOST = 12  # sources with the most bytes, in the matrix
SHADES = " ░▒▓█"


@click.command()
@click.option("--threshold", type=Real(0, 1), metavar="J", help="Jaccard similarity of near-duplicates [default: 0.8].")
@click.option("--plot", metavar="FILE", help="Draw the near matrix to FILE, as SVG.")
@click.option("--json", "as_json", is_flag=True, help="Print totals and all pairs as JSON.")
@work_options
def overlap(corpus, threshold, plot, as_json, work, engine, changes):
    """Show how much of each source in CORPUS… is in the others, too, as exact and near copies.

    The source is read from the documents' source column; the default is the top folder of their file. Each row of the
    matrix shows how much of its source is in the column's source. Shares differ by direction.

    \b
        gristmill overlap crawl/ books/ --output overlap
        gristmill overlap mix.jsonl.zst --set input.source_column=dataset --plot overlap.svg
    """
    from gristmill.flows.runs.overlap import draw, find_overlap
    from gristmill.pipelines.storage.files import atomic_write, to_path

    folder = writable(work)
    progress = run_progress(folder)
    try:
        totals, shared = find_overlap(corpus, folder, threshold, changes, engine, progress)
    finally:
        progress.stop()
    sources = totals.sort("bytes", "source", descending=[True, False])["source"].to_list()
    if plot:
        with atomic_write(to_path(plot)) as file:
            file.write(draw(sorted(sources[:100]), shared).encode())
    if as_json:
        tables = {"sources": totals.to_dicts(), "shared": shared.to_dicts()}
        return say_json(tables, indent=True)
    say_table(heat(sorted(sources[:MOST]), shared))
    say()
    say_table(pairs(shared))


def heat(sources: list[str], shared):
    """Build the near matrix as a table: share of the row's bytes, and a block as dark as the share is large."""
    from rich.table import Table
    from rich.text import Text

    from gristmill.flows.runs.overlap import matrix

    table = Table(box=None, pad_edge=False, title="share of the row's bytes in near copies in the column")
    table.add_column("")
    for source in sources:
        table.add_column(Text(source.translate(LINE)), justify="right")
    for source, shares in zip(sources, matrix(sources, shared, "near"), strict=True):
        cells = [f"{share:.1%} {SHADES[min(4, round(4 * share**0.5))]}" if share else "·" for share in shares]
        table.add_row(Text(source.translate(LINE)), *cells)
    return table


def pairs(shared):
    """Build a table of all pairs that share documents: documents, bytes and words by kind of copy."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("source", "other", "kind", "documents", "MB", "words"):
        table.add_column(name, justify="left" if name in ("source", "other", "kind") else "right")
    for kind, source, other, documents, size, words, _ in shared.sort("source", "other", "kind").iter_rows():
        names = (Text(name.translate(LINE)) for name in (source, other))
        table.add_row(*names, kind, f"{documents:,}", f"{size / 1e6:,.2f}", f"{words:,}")
    return table
