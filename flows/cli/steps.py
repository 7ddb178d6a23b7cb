"""gristmill steps"""

import click

from gristmill.flows.cli.output import PIPE_WIDTH, say, say_json


@click.command()
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print the description as JSON.")
def steps(name, as_json):
    """List the steps of recipes; or describe the step NAME, or a section: every setting with type and default.

    NAME may be a class of yours, such as my_filters.py:Shouty. All of it is read from the code.

    \b
        gristmill steps
        gristmill steps gopher
        gristmill steps tokens
    """
    from gristmill.flows.project.describe import SECTION_NAMES, describe, step_names

    if name is None:
        found = step_names()
        if as_json:
            return say_json(found, indent=True)
        for each, purpose in found.items():
            say(f"{each:<22}{purpose}")
        return say(
            f"\nOther sections of a recipe: {', '.join(SECTION_NAMES)}. `gristmill steps NAME` describes one.",
            lines=True,
        )
    step = describe(name)
    if as_json:
        return say_json(step._asdict() | {"settings": [each._asdict() for each in step.settings]}, indent=True)
    say(f"{step.name}: {step.purpose}.")
    if step.source:
        say(f"source: {step.source}.")
    if step.variants:
        say(f"variants: {', '.join(step.variants)}")
    for each in step.settings:
        say()
        say(f"{each.name} = {each.default}", bold=True)
        for line in wrapped(f"{each.type}; {each.about}" if each.about else each.type):
            say(f"    {line}")


def wrapped(text: str) -> list[str]:
    """Return a text in lines of PIPE_WIDTH."""
    from textwrap import wrap

    return wrap(text, PIPE_WIDTH - 4)
