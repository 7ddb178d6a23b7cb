"""Perplexity of a quantized GPT on held-out text: ``python -m benchmarks.quantization DATA``.

DATA is the folder of the development data. A small GPT is pretrained on tweets, film reviews and speeches, of which a
hundredth is held out, and its linear layers are quantized in several ways.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.base_model import pretrain
from benchmarks.classification import base_texts
from gristmill.flows.models.quantizing import quantize_run

# Name, bits, size of a group, settings.
WAYS = [
    ("8 bits per channel", 8, None, ()),
    ("8 bits per tensor, asymmetric", 8, None, ("quantize.per=tensor", "quantize.symmetric=false")),
    ("8 bits per channel, bfloat16 products", 8, None, ("quantize.activations=bfloat16",)),
    ("4 bits, groups of 64", 4, 64, ()),
    ("4 bits, groups of 64, asymmetric", 4, 64, ("quantize.symmetric=false",)),
    ("4 bits per channel", 4, None, ()),
    ("2 bits, groups of 64, asymmetric", 2, 64, ("quantize.symmetric=false",)),
]


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--pretrain", "base_steps", type=click.IntRange(1), default=400, show_default=True, help="Steps of the base model."
)
def main(data, base_steps):
    """Quantize a model that was pretrained on texts in DATA."""
    with TemporaryDirectory() as folder:
        base = pretrain(base_texts(data), Path(folder), base_steps, 4096)
        for number, (name, bits, group, changes) in enumerate(WAYS):
            found = quantize_run(base.run, f"{folder}/{number}", bits, group, base.tokens, changes)
            before, after = found["before"], found["after"]
            if not number:
                click.echo(f"{'float32':<40}{before['bytes'] / 1e6:>6.2f} MB  perplexity {before['perplexity']:.3f}")
            change = after["perplexity"] / before["perplexity"] - 1
            click.echo(f"{name:<40}{after['bytes'] / 1e6:>6.2f} MB  {change:+.3%}")


if __name__ == "__main__":
    main()
