"""gristmill overlap"""

import click

from gristmill.flows.cli.options import run_progress, work_options, writable
from gristmill.flows.escape import JSON, LINE

MOST = 12  # sources in the terminal's matrix: those with the most bytes
SHADES = " ░▒▓█"


@click.command()
@click.option("--threshold", type=float, metavar="J", help="Jaccard similarity of near-duplicates; 0.8 by default.")
@click.option("--svg", "picture", metavar="FILE", help="Draw the near matrix into FILE.")
@click.option("--json", "as_json", is_flag=True, help="Totals and all pairs as JSON.")
@work_options
def overlap(corpus, threshold, picture, as_json, work, engine, changes):
    """Show how much of each source in CORPUS… the others have too: documents, bytes and words, exactly and nearly.

    A source is what the documents' source column says, else the top folder they lie in. A row says how much of that
    source each column's has: one that holds a quarter of the other need not be held itself.

    \b
        gristmill overlap crawl/ books/ --output overlap
        gristmill overlap mix.jsonl.zst --set input.source=dataset --svg overlap.svg
    """
    import orjson

    from gristmill.flows.clean.overlap import draw, find_overlap
    from gristmill.flows.cli.clean import render
    from gristmill.pipelines.storage.files import atomic_write, to_path

    folder = writable(work)
    progress = run_progress(folder)
    try:
        scratch = to_path(work) / "scratch"
        totals, shared = find_overlap(corpus, folder, scratch, threshold, changes, engine, progress)
    finally:
        progress.stop()
    sources = totals.sort("bytes", "source", descending=[True, False])["source"].to_list()
    if picture:
        with atomic_write(to_path(picture)) as file:
            file.write(draw(sorted(sources[:100]), shared).encode())
    if as_json:
        told = {"sources": totals.to_dicts(), "shared": shared.to_dicts()}
        return click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode().translate(JSON))
    click.echo(render(heat(sorted(sources[:MOST]), shared)))
    click.echo()
    click.echo(render(pairs(shared)))


def heat(sources: list[str], shared):
    """The near matrix as a table: share of the row's bytes, and a block as dark as it is much."""
    from rich.table import Table
    from rich.text import Text

    from gristmill.flows.clean.overlap import matrix

    table = Table(box=None, pad_edge=False, title="share of the row's bytes that the column has too, nearly alike")
    table.add_column("")
    for source in sources:
        table.add_column(Text(source.translate(LINE)), justify="right")
    for source, shares in zip(sources, matrix(sources, shared, "near"), strict=True):
        cells = [f"{share:.1%} {SHADES[min(4, round(4 * share**0.5))]}" if share else "·" for share in shares]
        table.add_row(Text(source.translate(LINE)), *cells)
    return table


def pairs(shared):
    """Every pair that shares something: documents, bytes and words, exactly and nearly."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("of", "has too", "kind", "documents", "MB", "words"):
        table.add_column(name, justify="left" if name in ("of", "has too", "kind") else "right")
    for kind, source, other, documents, size, words, _ in shared.sort("source", "other", "kind").iter_rows():
        names = (Text(name.translate(LINE)) for name in (source, other))
        table.add_row(*names, kind, f"{documents:,}", f"{size / 1e6:,.2f}", f"{words:,}")
    return table
