"""gristmill init"""

import click

from gristmill.flows.cli.output import say


@click.command()
@click.argument("name", metavar="NAME")
@click.option("--languages", metavar="CODES", help="Languages to keep, such as en,de [default: all].")
@click.option(
    "--pii",
    default="default",
    show_default=True,
    metavar="KINDS",
    help="Personal data to replace: all, default, none, or types such as email,phone or +person.",
)
@click.option("--against", multiple=True, metavar="EVAL", help="Evaluation set to keep out; may be repeated.")
@click.option(
    "--input", "paths", multiple=True, metavar="PATH", help="File, folder, glob or URL to read; may be repeated."
)
@click.option("--text", metavar="COLUMN", help="Column of texts [default: text].")
@click.option("--html", metavar="COLUMN", help="Column of HTML pages, whose main text becomes the text.")
def init(name, languages, pii, against, paths, text, html):
    """Write NAME.toml, a commented recipe for `gristmill run`: clean documents, a tokenizer, token shards, a report.

    It extends the recipe clean-corpus. Exports and a model are in it as comments. The first records of the input must
    have the column of texts.

    \b
        gristmill init web --languages en,de --pii all --against eval.jsonl --input 'crawl/*.jsonl.zst'
        gristmill run web.toml --output work
    """
    from pathlib import Path

    from gristmill.flows.project.starter import write_starter

    if text is not None and html is not None:
        raise click.UsageError("--text and --html name the same thing in two ways; write an [[input]] for each")
    wanted = [code.strip() for code in languages.split(",")] if languages is not None else []
    columns = {key: column for key, column in (("text", text), ("html", html)) if column is not None}
    written = write_starter(name, wanted, pii, against, paths, Path(), columns)
    say(f"{written}: edit it, then")
    say(f"  gristmill run {written}{'' if paths else ' --input PATH'} --output work")
