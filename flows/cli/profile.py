"""gristmill profile"""

import click

from gristmill.flows.cli.options import engine_options, run_progress, whole, writable
from gristmill.flows.cli.output import console, say, say_json, say_table


@click.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--reference", multiple=True, metavar="PATH", help="Good text to take thresholds from; may be repeated.")
@click.option("--language", "languages", multiple=True, metavar="LABEL", help="Language to profile. [all]")
@click.option(
    "--min-documents",
    type=whole(10),
    default=50,
    show_default=True,
    help="Number of documents that a language needs for a profile.",
)
@click.option(
    "--sample", type=whole(10, 1_000_000), default=2000, show_default=True, help="Documents to measure per language."
)
@click.option(
    "--recipe",
    default="clean-corpus",
    show_default=True,
    help="Recipe that will use the profiles: its rules, words, models.",
)
@click.option("--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting.")
@click.option("--output", default="profiles", show_default=True, metavar="FOLDER", help="Folder to write profiles to.")
@click.option("--work", default="work/profile", show_default=True, help="Folder to read documents into.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per language.")
@engine_options
def profile(corpus, reference, languages, min_documents, sample, recipe, changes, output, work, as_json, engine):
    """Find thresholds for each language of CORPUS…, and write them as language profiles that a recipe reads.

    A profile has the minimum probability of its language, stop words, and thresholds for the length and the share of
    such words. Rules on repetition, lines and letters become looser where the language needs it, never stricter.
    Thresholds lie three times as far from the median as the edge of the outermost 10 % of the documents: up to a tenth
    of them may be noise.

    \b
        gristmill profile crawl/ --reference wikipedia/ --output profiles
        gristmill clean clean-corpus --input crawl/ --profiles profiles
    """
    from gristmill.flows.clean.recipe import read_recipe
    from gristmill.flows.profile.labeled import label_documents
    from gristmill.flows.profile.make import CORPUS, REFERENCE, ProfileSettings, check_languages, find_profiles
    from gristmill.flows.profile.toml import write_profiles

    settings = ProfileSettings(min_documents=min_documents, sample=sample)
    plan, folder = read_recipe(recipe, changes, profiles=()), writable(work)
    progress = run_progress(folder)
    try:
        labeled = {
            kind: label_documents(paths, folder / kind, plan, engine, progress)
            for kind, paths in ((CORPUS, corpus), (REFERENCE, reference))
            if paths
        }
    finally:
        progress.stop()
    wanted = check_languages(list(languages), labeled)
    found = find_profiles(plan, labeled, wanted, settings)
    others = write_profiles(found, writable(output))
    for each in found:
        if as_json:
            say_json(each._asdict() | {"thresholds": [threshold._asdict() for threshold in each.thresholds]})
        else:
            show(each)
    profiled = {each.language for each in found}
    few = [f"{name} {max(each.of(name) for each in labeled.values()):,}" for name in wanted if name not in profiled]
    if few:
        say(f"No profile, fewer than {min_documents:,} documents of likely language: {', '.join(few)}", err=True)
    if others:
        say(f"{output} also holds profiles that this command has not written: {', '.join(others)}", err=True)
    if found:
        command = f"gristmill clean {recipe} --profiles {output}"
        console.print(f"Profiles written to {output}: {len(found):,}; use them by `{command}`", soft_wrap=True)


def show(profile) -> None:
    """Print a language's documents, and each threshold with the share of the documents that it removes."""
    from rich.table import Table

    from gristmill.flows.profile.toml import removed
    from gristmill.flows.report.format import percent

    counts = ", ".join(f"{kind} {documents:,}" for kind, documents in profile.documents.items())
    say(f"{profile.language}: documents {counts}; thresholds from {profile.sampled:,} of the {profile.source}")
    say(f"  stop words: {' '.join(profile.stop_words)}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("  threshold", "", *profile.removes):
        table.add_column(name, justify="left" if name == "  threshold" else "right")
    for each in profile.thresholds:
        shares = (percent(each.removes[kind]) if kind in each.removes else "" for kind in profile.removes)
        table.add_row(f"  {each.filter}.{each.setting}", f"{each.value:g}", *shares)
    say_table(table)
    say(f"  together, with the recipe's other rules of these steps: {removed(profile.removes)}")
    say()
