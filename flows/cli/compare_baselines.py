"""gristmill compare-baselines"""

import click

from gristmill.flows.cli.options import settings_option, whole
from gristmill.flows.cli.output import console, say, say_json


@click.command("compare-baselines")
@click.argument("tokens")
@click.option("--preset", "name", default="nano", show_default=True, help="Name of the GPT's configuration.")
@click.option("--steps", type=whole(1), default=300, show_default=True, help="Steps of each network.")
@settings_option("model, train or machine")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def compare_baselines(tokens, name, steps, changes, as_json):
    """Train an n-gram model, an Elman network, an LSTM and a GPT on TOKENS, and score the same documents with each.

    Recurrent networks have as many FLOPs per token as the GPT, and take the same steps over the same rows. The n-gram
    model counts the whole training split. Perplexity is per token, bits per byte of text.

    \b
        gristmill compare-baselines work/tokens/bpe --steps 300
    """
    from gristmill.flows.models.pretraining import compare_baselines

    def print_progress(line):
        if line["step"] % 50 == 0:
            console.print(f"{line['model']}  step {line['step']} of {line['steps']}  loss {line['loss']:.4f}")

    rows = compare_baselines(tokens, name, steps, changes, print_progress)
    if as_json:
        return say_json(rows, indent=True)
    say(f"{'':>8}  {'parameters':>12}  {'CPU s':>8}  {'perplexity':>10}  {'bits per byte':>13}")
    for row in rows:
        bits = f"{row['bits_per_byte']:.4f}" if row["bits_per_byte"] else "unknown"
        numbers = f"{row['parameters']:>12,}  {row['seconds']:>8.1f}  {row['perplexity']:>10.1f}  {bits:>13}"
        say(f"{row['model']:>8}  {numbers}")
