"""gristmill fill-mask"""

import click

from gristmill.flows.cli.options import settings_option, whole
from gristmill.flows.cli.output import say, say_json


@click.command("fill-mask")
@click.argument("run")
@click.argument("text")
@click.option("--top", type=whole(1, 100_000), default=5, show_default=True, help="Number of pieces per mask.")
@settings_option("machine")
@click.option("--json", "as_json", is_flag=True, help="Print a list of pieces per mask as JSON.")
def fill_mask(run, text, top, changes, as_json):
    """Print the likeliest pieces for each [MASK] in TEXT, with the probabilities of the masked model in RUN.

    RUN may also be a folder of BERT or T5 weights of transformers with its tokenizer. An encoder-decoder, such as T5,
    writes one text of several pieces for each.

    \b
        gristmill fill-mask work/runs/bert "The [MASK] turns"
        gristmill fill-mask work/runs/bert "The [MASK] turns the [MASK]." --top 3 --json
    """
    from gristmill.flows.models.masked import fill_text

    found = fill_text(run, text, top, changes)
    if as_json:
        return say_json(found)
    for number, pieces in enumerate(found):
        if number:
            say()
        for each in pieces:
            say(f"{each['probability']:>8.4f}  {each['piece']}", lines=True)
