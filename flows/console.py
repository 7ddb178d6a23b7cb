"""Console of the commands and the library: no text of a file can send a control character to the terminal."""

from typing import Any, NoReturn

from rich.console import Console

from gristmill.flows.escape import TERMINAL


class SafeConsole(Console):
    """Console without markup, which escapes all text but sends its own colors and cursor movements."""

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable, options=None):
        """Yield the segments of anything printed, escaped."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=segment.text.translate(TERMINAL))

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # the command ends as it does for `say`
