"""gristmill run"""

from functools import partial

import click

from gristmill.flows.cli.options import run_options, run_progress, writable
from gristmill.flows.cli.output import console


@click.command()
@run_options
def run(recipe, paths, work, engine, changes):
    """Run RECIPE to its end: clean documents, tokenizers, token shards, exports, a model, a report.

    A section of the recipe asks for each stage after the cleaning: [tokenizer.NAME], [tokens], [export], [pretrain] and
    [report]. `gristmill init` writes such a recipe, `gristmill steps` lists all settings. Finished work is reused: run
    the same command again after a crash, Ctrl-C or a change of the recipe.

    \b
        gristmill run web.toml --output work
        gristmill run web.toml --input 'crawl/*.parquet' --set tokenizer.bpe.vocab_size=8192
    """
    from gristmill.flows.clean.recipe import read_recipe
    from gristmill.flows.cli.clean import report
    from gristmill.flows.project.run import run_recipe
    from gristmill.flows.project.sections import read_sections

    settings = read_recipe(recipe, changes, paths)
    sections, folder = read_sections(settings, recipe), writable(work)
    progress, say = run_progress(folder), partial(console.print, soft_wrap=True)
    progress.show_steps = not console.is_terminal  # the bar shows them there
    try:
        done = run_recipe(settings, sections, folder, engine, progress, say)
    finally:
        progress.stop()
    if not done.jobs:
        console.print(f"Nothing to do: {folder} is finished, and recipe and input are unchanged.")
    console.print()
    report(done.summary, work)
