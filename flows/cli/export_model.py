"""gristmill export-model"""

import click

from gristmill.flows.cli.output import say


@click.command("export-model")
@click.argument("run")
@click.option("--output", required=True, metavar="FOLDER", help="Folder to write.")
@click.option("--adapter-only", is_flag=True, help="Write the adapter alone, as adapter_model.safetensors of peft.")
def export_model(run, output, adapter_only):
    """Export the model in RUN for transformers: config.json and model.safetensors, as GPT-2 or Llama.

    The model's settings decide: LayerNorm, learned positions and biases make a GPT-2; RMSNorm, RoPE and SwiGLU without
    biases make a Llama. Other combinations are an error. LoRA is merged into the weights.

    \b
        gristmill export-model work/runs/nano --output nano-llama
        gristmill export-model work/runs/lora --output lora --adapter-only
    """
    from gristmill.flows.models.pretraining import write_export

    say(f"{output}: {write_export(run, output, adapter_only)}")
