"""gristmill recipes"""

import click

from gristmill.flows.cli.output import say


@click.command()
@click.argument("name", required=False)
def recipes(name):
    """List the recipes that ship with Gristmill, or print the recipe NAME as a start for your own.

    \b
        gristmill recipes
        gristmill recipes clean-corpus > mine.toml
    """
    from gristmill.flows.clean.recipe import LATER
    from gristmill.flows.clean.recipe_files import read_table, shipped_recipes
    from gristmill.pipelines.errors import RecipeError, nearest

    shipped = shipped_recipes()
    if name is None:
        for each, path in shipped.items():
            table = read_table(path)
            command = "impact run" if "steps" not in table else "run" if {*LATER} & table.keys() else "clean"
            say(f"{each:<16}{table.get('about', '')}")
            say(f"{'':16}gristmill {command} {each} --input PATH")
    elif name in shipped:
        say(shipped[name].read_text("utf-8"), lines=True, nl=False)
    else:
        raise RecipeError(f"no recipe {name!r} ships with Gristmill; {nearest(name, list(shipped))}")
