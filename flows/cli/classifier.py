"""gristmill classifier"""

import click

from gristmill.flows.cli.options import settings_option, writable
from gristmill.flows.cli.output import say, say_json


@click.group()
def classifier():
    """Train fastText quality classifiers, and score documents with them or with other fastText models.

    \b
        gristmill classifier train --positive books/ --negative crawl/ --output quality.bin
        gristmill classifier score work --model quality.bin
    """


WORK = click.option(
    "--work", help="Folder to ingest raw files into.", default="work/classifier", show_default=True, metavar="FOLDER"
)


@classifier.command()
@click.option("--positive", required=True, multiple=True, metavar="CORPUS", help="Good documents. [several]")
@click.option("--negative", required=True, multiple=True, metavar="CORPUS", help="Bad documents. [several]")
@click.option("--output", required=True, metavar="MODEL", help="Model file to write, in fastText's format.")
@WORK
@settings_option("classifier")
def train(positive, negative, output, work, changes):
    """Train on good and bad documents: work folders, shards, or raw files.

    MODEL.json holds the evaluation on held-out documents, with the chosen threshold. MODEL.png shows the ROC and
    precision-recall curves. A recipe uses the threshold by `[steps.classifier]`, model = "MODEL", min_score = "auto".

    Settings: classifier.dim (10), classifier.epochs (5), classifier.learning_rate, classifier.word_ngrams,
    classifier.buckets, classifier.min_count, classifier.max_words, classifier.min_n, classifier.max_n,
    classifier.max_bytes, classifier.balance, classifier.held_out.

    \b
        gristmill classifier train --positive books/ --negative crawl/ --output quality.bin
    """
    from gristmill.flows.clean.recipe import settings_from_changes
    from gristmill.flows.models.classifier import ClassifierSettings, train_classifier

    settings, folder = settings_from_changes(ClassifierSettings, "classifier", changes), writable(work)
    found = train_classifier(positive, negative, folder, output, settings)
    good, bad = found["trained_on"]
    say(f"{output}: trained on {good:,} good and {bad:,} bad documents; on {sum(found['held_out']):,} held out:")
    say(f"  area under the ROC curve {found['roc_auc']:.4f}, average precision {found['average_precision']:.4f}")
    threshold, (recall, false, _) = found["threshold"], found["at_threshold"].values()
    say(f"  threshold {threshold:.4f} keeps {recall:.1%} of the good and {false:.1%} of the bad")


@classifier.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--model", required=True, metavar="FILE", help="FastText model, .bin or .ftz.")
@click.option("--label", default="__label__hq", show_default=True, help="Label of good documents.")
@click.option("--write-percentiles", "percentiles_file", metavar="FILE", help="Write percentiles of scores to FILE.")
@WORK
def score(corpus, model, label, percentiles_file, work):
    """Print a JSON line for each document of CORPUS… with its score, the probability of the label.

    A recipe reads the file of --write-percentiles as classifier.percentiles_file.

    \b
        gristmill classifier score work --model quality.bin
        gristmill classifier score work --model quality.bin --write-percentiles percentiles.json > scores.jsonl
    """
    import numpy as np

    from gristmill.filters.core.percentiles import ALL_LANGUAGES, write_percentiles
    from gristmill.flows.models.classifier import score_corpus

    found = []
    for id, value in score_corpus(corpus, writable(work), model, label):
        say_json({"id": id, "score": value})
        found.append(value)
    if percentiles_file:
        write_percentiles(percentiles_file, ALL_LANGUAGES, np.array(found))
