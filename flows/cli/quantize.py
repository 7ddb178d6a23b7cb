"""gristmill quantize"""

import click

from gristmill.flows.cli.options import settings_option, whole
from gristmill.flows.cli.output import say, say_json


@click.command()
@click.argument("run")
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the quantized run.")
@click.option("--bits", type=click.Choice(["2", "4", "8"]), default="8", show_default=True, help="Bits per weight.")
@click.option("--group", type=whole(1, 1 << 20), help="Number of weights that share a scale [default: a row].")
@click.option("--tokens", metavar="FOLDER", help="Token shards on whose validation split perplexity is measured.")
@settings_option("quantize")
@click.option("--json", "as_json", is_flag=True, help="Print sizes, perplexities and errors as JSON.")
def quantize(run, output, bits, group, tokens, changes, as_json):
    """Quantize the linear layers of the model in RUN; generate and every evaluation take the new run.

    FOLDER holds the model, and the error of each layer in quantization.png. Embeddings are not quantized.

    Settings: quantize.symmetric, quantize.per (tensor, channel, group), quantize.exclude (names of layers),
    quantize.activations (float32, bfloat16, float16).

    \b
        gristmill quantize work/runs/nano --bits 8 --output work/runs/nano-8
        gristmill quantize work/runs/nano --bits 4 --group 64 --tokens work/tokens/bpe --output work/runs/nano-4
    """
    from gristmill.flows.models.quantizing import quantize_run

    found = quantize_run(run, output, int(bits), group, tokens, changes)
    if as_json:
        return say_json(found, indent=True)
    names = {"bytes": ",.0f", "perplexity": ",.4f", "tokens_per_second": ",.0f"}
    labels = {"tokens_per_second": "tokens/CPU s"}
    say(f"{'':>13}  {'before':>14}  {'after':>14}")
    for name, form in names.items():
        if name in found["before"]:
            before, after = (format(found[side][name], form) for side in ("before", "after"))
            say(f"{labels.get(name, name):>13}  {before:>14}  {after:>14}")
    say(f"{'written':>13}  {output}, {found['layers']} layers quantized")
