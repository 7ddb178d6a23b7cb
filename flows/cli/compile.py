"""gristmill compile"""

import click

from gristmill.flows.cli.output import console


@click.command()
def compile():
    """Compile all kernels for this processor, on all cores, and keep them in ~/.cache/gristmill.

    The first command that works on a corpus does the same. In a checkout whose kernels changed since, this command
    compiles those again, and others at their first call. The environment variable GRISTMILL_CACHE names another
    folder.

    \b
        gristmill compile  # kept in ~/.cache/gristmill
        GRISTMILL_CACHE=/opt/gristmill gristmill compile
    """
    from gristmill.flows.engine.kernels import compile_all

    compile_all(console, look=True)
