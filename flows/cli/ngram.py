"""gristmill ngram"""

import click

from gristmill.flows.cli.options import settings_option, writable
from gristmill.flows.cli.output import say, say_json


@click.group()
def ngram():
    """Train n-gram models, score documents with them, exchange them with KenLM and others.

    \b
        gristmill ngram train books/ --output books.ngram
        gristmill ngram score work --model books.ngram
    """


WORK = click.option("--work", help="Folder to ingest raw files into.", default="work/ngram", show_default=True)
TOKENIZER = click.option("--tokenizer", metavar="FOLDER", help="Tokenizer whose tokens are the units. [words]")


@ngram.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--output", required=True, metavar="FILE", help="Model file to write.")
@TOKENIZER
@WORK
@settings_option("ngram")
def train(corpus, output, tokenizer, work, changes):
    """Train a modified Kneser-Ney model on the documents of CORPUS…: work folders, shards, or raw files.

    Settings: ngram.order (5), ngram.max_words, ngram.min_count, ngram.prune, ngram.quantize, ngram.discount_fallback,
    ngram.memory_bytes.

    \b
        gristmill ngram train books/ --output books.ngram
        gristmill ngram train work --set ngram.prune=[0,0,1] --set ngram.quantize=true --output small.ngram
    """
    from gristmill.filters.ngram.train import NGramSettings
    from gristmill.flows.clean.recipe import settings_from_changes
    from gristmill.flows.models.ngram import train_ngram
    from gristmill.pipelines.storage.files import to_path

    settings, folder = settings_from_changes(NGramSettings, "ngram", changes), writable(work)
    model = train_ngram(corpus, folder, settings, tokenizer)
    model.save(to_path(output))
    size = to_path(output).stat().st_size
    say(f"{output}: order {model.order}, {model.vocabulary.size:,} words, {size / 1e6:,.1f} MB")


@ngram.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--model", required=True, metavar="FILE", help="Model of `gristmill ngram train`, KenLM binary, or ARPA.")
@click.option("--lines", "by_line", is_flag=True, help="Print log10 probability and tokens of each line too.")
@click.option(
    "--write-percentiles", "percentiles_file", metavar="FILE", help="Write percentiles of perplexity to FILE."
)
@click.option(
    "--write-reference", "reference_file", metavar="FILE", help="Write mean and covariance of scores to FILE."
)
@click.option("--language", default="*", show_default=True, help="Language label to store in these two files.")
@TOKENIZER
@WORK
def score(corpus, model, by_line, percentiles_file, reference_file, language, tokenizer, work):
    """Print a JSON line for each document of CORPUS…: log10 probability, perplexity, bits per byte, context gain.

    A recipe reads the files of --write-percentiles and --write-reference as perplexity.percentiles_file and
    perplexity.reference_stats.

    \b
        gristmill ngram score work --model books.ngram
        gristmill ngram score work --model books.ngram --write-percentiles percentiles.json --language en > scores.jsonl
    """
    import numpy as np

    from gristmill.filters.core.percentiles import write_percentiles
    from gristmill.filters.perplexity.mahalanobis import MahalanobisModel, write_reference
    from gristmill.flows.models.ngram import score_corpus, scorer

    found, names = [], ("perplexity", "bits_per_byte", "context_gain")
    for row in score_corpus(corpus, writable(work), scorer(model, tokenizer), by_line):
        say_json(row)
        if row["tokens"]:
            found.append([row[name] for name in names])
    columns = np.array(found).reshape(-1, len(names)).T
    if percentiles_file:
        write_percentiles(percentiles_file, language, columns[0])
    if reference_file:
        write_reference(reference_file, language, MahalanobisModel.from_measures(*columns))


@ngram.command()
@click.argument("source")
@click.argument("target")
def export(source, target):
    """Convert the model SOURCE to TARGET.arpa, or the ARPA file SOURCE to a Gristmill model TARGET.

    \b
        gristmill ngram export books.ngram books.arpa
        gristmill ngram export theirs.arpa theirs.ngram
    """
    from gristmill.flows.models.ngram import export

    say(f"{target}: {export(source, target)}")
