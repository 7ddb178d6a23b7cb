"""gristmill export-model"""

import click


@click.command("export-model")
@click.argument("run")
@click.option("--output", required=True, metavar="DIR", help="Folder to write.")
def export_model(run, output):
    """Write the model in RUN as transformers reads it: config.json and model.safetensors, as GPT-2 or as Llama.

    Which of the two its shape says: LayerNorm, learned positions and biases are GPT-2's; RMSNorm, RoPE and SwiGLU
    without biases are Llama's. Other mixtures have no such form, and are an error.

    \b
        gristmill export-model work/runs/nano --output nano-llama
    """
    from gristmill.flows.models.pretraining import write_export

    click.echo(f"{output}: {write_export(run, output)}")
