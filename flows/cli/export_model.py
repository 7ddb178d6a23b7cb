"""gristmill export-model"""

import click


@click.command("export-model")
@click.argument("run")
@click.option("--output", required=True, metavar="FOLDER", help="Folder to write.")
def export_model(run, output):
    """Export the model in RUN for transformers: config.json and model.safetensors, as GPT-2 or Llama.

    A model with LayerNorm, learned positions and biases is exported as GPT-2; one with RMSNorm, RoPE and SwiGLU and
    without biases as Llama. Other combinations have no layout and are refused.

    \b
        gristmill export-model work/runs/nano --output nano-llama
    """
    from gristmill.flows.models.pretraining import write_export

    click.echo(f"{output}: {write_export(run, output)}")
