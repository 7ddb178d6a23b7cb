"""gristmill push"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import console, say


@click.command()
@work_argument
@click.argument("repo", metavar="REPO")
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--revision", metavar="BRANCH", help="Branch to write to [default: main].")
@click.option("--license", default="unknown", show_default=True, metavar="ID", help="License identifier on the Hub.")
@click.option("--name", help="Name of the dataset [default: name of the recipe].")
def push(work, repo, private, revision, license, name):
    """Upload the clean documents in WORK and their card to the dataset repository REPO of the Hugging Face Hub.

    The token is that of HF_TOKEN or of `hf auth login`; HF_ENDPOINT names another Hub. All files appear by one commit.
    A push that was stopped continues with the files that have not arrived.

    \b
        gristmill push work ada/mill-corpus --private --license cc-by-4.0
    """
    from huggingface_hub.utils import disable_progress_bars

    from gristmill.flows.publish.push import push_corpus
    from gristmill.pipelines.storage.files import to_path

    if not console.is_terminal:
        disable_progress_bars()

    def report(done, total):
        console.print(f"  {done:,} of {total:,} files", soft_wrap=True)

    url = push_corpus(
        to_path(work), repo, private=private, revision=revision, license=license, name=name, report=report
    )
    say(url)
