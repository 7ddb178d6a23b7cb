"""gristmill classifier"""

import click

from gristmill.flows.cli.options import settings_option, writable


@click.group()
def classifier():
    """Train fastText quality classifiers, and score documents with them or with others' models.

    \b
        gristmill classifier train --positive books/ --negative crawl/ --output quality.bin
        gristmill classifier score work --model quality.bin
    """


WORK = click.option(
    "--work", help="Where raw files are read into.", default="work/classifier", show_default=True, metavar="WORK"
)


@classifier.command()
@click.option("--positive", required=True, multiple=True, metavar="CORPUS", help="Good documents.")
@click.option("--negative", required=True, multiple=True, metavar="CORPUS", help="Bad documents.")
@click.option("--output", required=True, metavar="MODEL", help="The model to write, in fastText's format.")
@WORK
@settings_option("classifier")
def train(positive, negative, output, work, changes):
    """Train on good and bad documents: work folders, shards, or raw files; both options may be given several times.

    MODEL.json says what was found on held-out documents, the chosen threshold among it, and MODEL.png shows the ROC
    and precision-recall curves. A recipe cuts there with `[steps.classifier]`, model = "MODEL", min_score = "auto".

    Settings: classifier.dim (10), classifier.epochs (5), classifier.learning_rate, classifier.word_ngrams,
    classifier.buckets, classifier.min_count, classifier.max_words, classifier.min_n, classifier.max_n,
    classifier.max_bytes, classifier.balance, classifier.held_out.

    \b
        gristmill classifier train --positive books/ --negative crawl/ --output quality.bin
    """
    from gristmill.flows.models.classifier import classifier_settings, train_classifier

    settings, folder = classifier_settings(changes), writable(work)
    found = train_classifier(positive, negative, folder, output, settings)
    good, bad = found["trained_on"]
    click.echo(f"{output}: trained on {good:,} good and {bad:,} bad documents; on {sum(found['held_out']):,} others:")
    click.echo(f"  area under the ROC curve {found['roc_auc']:.4f}, average precision {found['average_precision']:.4f}")
    at = found["at_threshold"]
    click.echo(
        f"  threshold {found['threshold']:.4f} keeps {at['recall']:.1%} of the good and {at['false']:.1%} of the bad"
    )


@classifier.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--model", required=True, metavar="FILE", help="Any fastText model, .bin or .ftz.")
@click.option("--label", default="__label__hq", show_default=True, help="What the model calls good.")
@click.option(
    "--write-percentiles",
    "percentiles_file",
    metavar="FILE",
    help="Write the percentiles of the scores there, as cut-offs for a recipe.",
)
@WORK
def score(corpus, model, label, percentiles_file, work):
    """Print the score of each document of CORPUS…, the probability of the label, a JSON line each.

    \b
        gristmill classifier score work --model quality.bin
        gristmill classifier score work --model quality.bin --write-percentiles percentiles.json > scores.jsonl
    """
    import numpy as np
    import orjson

    from gristmill.filters.core.percentiles import ALL_LANGUAGES, write_percentiles
    from gristmill.flows.models.classifier import score_corpus

    found = []
    for id, value in score_corpus(corpus, writable(work), model, label):
        click.echo(orjson.dumps({"id": id, "score": value}))
        found.append(value)
    if percentiles_file:
        write_percentiles(percentiles_file, ALL_LANGUAGES, np.array(found))
