"""gristmill tokenize"""

import click

from gristmill.flows.cli.options import engine_options, run_progress, settings_option, writable
from gristmill.flows.cli.output import console, say, say_json


@click.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--tokenizer", required=True, metavar="FOLDER", help="Folder or file of the tokenizer.")
@click.option("--output", required=True, metavar="TOKENS", help="Folder of the token shards.")
@engine_options
@settings_option("tokens")
@click.option("--json", "as_json", is_flag=True, help="Print counts and mixture as JSON.")
def tokenize(corpus, tokenizer, output, engine, changes, as_json):
    """Encode the documents of CORPUS… as token shards: shuffled, split into training and validation, mixed by source.

    Documents are never split, and the same seed gives the same bytes for any number of workers. Settings:
    tokens.template (of documents with roles: plain, alpaca, chatml, llama-3, phi-3, or a file), tokens.loss (answers,
    all), tokens.add_special (prepend, append, both, none), tokens.validation, tokens.seed, tokens.weights.SOURCE,
    tokens.epochs.SOURCE, tokens.upsample.SIZE, tokens.temperature, tokens.train_tokens, tokens.tokens_per_shard.

    \b
        gristmill tokenize work --tokenizer tok --output tokens
        gristmill tokenize books/ web/ --tokenizer tok --set tokens.weights.books=0.3 --output mix
    """
    from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize

    settings, folder = token_settings(changes), writable(output)
    progress = run_progress(writable(f"{output}/work"))
    try:
        tokens = tokenize(corpus, tokenizer, folder, settings, engine, progress)
    finally:
        progress.stop()
    counts = tokens.manifest.counts
    if as_json:
        table = {"counts": counts, "mixture": tokens.about["mixture"], "shards": tokens.names()}
        return say_json(table, indent=True)
    say(f"{'source':<24}{'documents':>12}{'tokens':>16}{'epochs':>8}{'share':>8}")
    for source in tokens.about["mixture"]:
        numbers = f"{source['documents']:>12,}{source['tokens']:>16,}{source['epochs']:>8.2f}{source['share']:>8.1%}"
        say(f"{source['name'][:23]:<24}{numbers}")
    summary = f"{len(tokens.names()):,} shards of {tokens.about['dtype'].lstrip('<')}, {counts['tokens']:,} tokens"
    console.print(f"  {output}  {summary}   gristmill tokens inspect {output}", soft_wrap=True)
