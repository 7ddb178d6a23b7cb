"""gristmill compare-languages"""

import click
from rich.table import Table

from gristmill.flows.cli.options import whole
from gristmill.flows.cli.output import say, say_json, say_table


@click.command(name="compare-languages")
@click.option(
    "--model", "names", multiple=True, metavar="NAME", help="Model to compare, or file:PATH of a fastText model. [all]"
)
@click.option("--max-bytes", type=whole(64), default=1024, show_default=True, help="Bytes to read per document.")
@click.option(
    "--label-column", default="language", show_default=True, metavar="COLUMN", help="Column with the language label."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each model and cap.")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
def compare_languages(names, max_bytes, label_column, as_json, corpora):
    """Compare language models on labeled texts: JSON lines, or shards, with columns text and language.

    Each model reads a few slices of every document, then whole documents. Labels may be ISO 639-1 or 639-3, with
    script or region: eng, en_GB and eng_Latn are en; cmn, zh_TW and zh-Hans are zh; nb is no.

    \b
    macro-F1, accuracy  over the languages that lid.176 knows
    shared              macro-F1 over the languages that all models know
    confident           share of documents in known languages labeled right with probability 0.5 or more
    unknown             share of documents in unknown languages labeled with probability 0.5 or more
    MB/s                full text per second of CPU

    \b
        gristmill compare-languages langid.jsonl.zst
        gristmill compare-languages langid.jsonl --model lid.176 --model file:glotlid.bin --json
    """
    from gristmill.filters.langid.evaluate import compare, read_labeled
    from gristmill.filters.langid.models import MODELS

    documents = read_labeled(corpora, label_column)
    scores = compare(documents, list(names or MODELS), [max_bytes, None])
    if as_json:
        for score in scores:
            say_json(score._asdict())
        return
    say(f"{len(documents):,} documents in {documents['language'].n_unique()} languages")
    say_table(_table(scores))


def _table(scores) -> Table:
    titles = ("model", "reads", "macro-F1", "shared", "accuracy", "confident", "unknown", "MB/s", "languages")
    table = Table(*titles, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for score in scores:
        shares = (score.macro_f1, score.shared_f1, score.accuracy, score.confident_correct, score.confident_unknown)
        reads = f"{score.max_bytes:,} B" if score.max_bytes else "all"
        rate = f"{score.megabytes_per_second:.1f}"
        table.add_row(score.model, reads, *(f"{share:.3f}" for share in shares), rate, str(score.languages))
    return table
