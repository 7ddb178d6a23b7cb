"""gristmill generate"""

import click

from gristmill.flows.cli.options import settings_option, whole
from gristmill.flows.cli.output import say, say_json
from gristmill.pipelines.errors import RecipeError


@click.command()
@click.argument("run")
@click.option("--prompt", metavar="TEXT", help="Text to continue.")
@click.option("--ids", metavar="1,2,…", help="Token ids to continue instead of text; prints ids.")
@click.option("--copies", type=whole(1, 100_000), default=1, show_default=True, help="Number of continuations.")
@settings_option("sample or machine")
@click.option("--json", "as_json", is_flag=True, help="Print a list of continuations as JSON.")
def generate(run, prompt, ids, copies, changes, as_json):
    """Continue a text with the model in RUN, which may also be a folder of GPT-2 or Llama weights of transformers.

    An encoder-decoder, such as T5, reads the text and writes one of its own.

    Settings: sample.temperature (0 is greedy), sample.top_k, sample.top_p, sample.num_beams,
    sample.stop_tokens, sample.max_new_tokens, sample.seed.

    \b
        gristmill generate work/runs/nano --prompt "The people of the" --set sample.temperature=0.8
        gristmill generate work/runs/nano --prompt "In the beginning" --set sample.num_beams=4
        gristmill generate work/runs/nano --ids 0,17,4 --copies 3 --set sample.top_k=50
    """
    from gristmill.flows.models.pretraining import continue_text

    if (prompt is None) == (ids is None):
        found = "neither" if ids is None else "both"
        raise RecipeError(f"expected either --prompt TEXT or --ids 1,2,…, found {found}")
    try:
        numbers = [int(part) for part in ids.split(",")] if ids is not None else None
    except ValueError:
        raise RecipeError(f"--ids {ids!r}: expected numbers separated by commas") from None
    written, follows = continue_text(run, prompt, numbers, copies, changes)
    if as_json:
        return say_json(written)
    for each in written:
        text = f"{prompt if follows else ''}{each}" if numbers is None else ",".join(map(str, each))
        say(text, lines=True)
