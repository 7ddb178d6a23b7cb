"""Chat templates: Jinja files that put markup around turns, as ``transformers`` reads them.

The text of a document must not become markup: "<|im_end|>" in a turn is six tokens of text. So a template is rendered
once for each sequence of roles, with placeholders for contents. Its pieces say which text is the template's, in which
special tokens are recognized, where each content goes, and what a model learns (between ``{% generation %}`` and
``{% endgeneration %}``). A template that cuts or changes contents other than by ``trim`` is refused.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import orjson
from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.inputs.turns import INPUT, SEPARATOR, Turn, messages_of
from gristmill.pipelines.storage.files import to_path

FOLDER, SUFFIX = Path(__file__).parent / "templates", ".jinja"
TEMPLATES = tuple(sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}")))
FILE = "chat_template.jinja"  # in the folder of a run, as transformers names it

# Characters of a rendering for its pieces: before and after an answer, at both ends of a content (trim removes this
# one), around the number of a turn.
BEGIN, END, PAD, HOLE = "\x01", "\x02", "\x1f", "\x00"
PIECES = re.compile(f"{HOLE}(\\d+){HOLE}|([{BEGIN}{END}{PAD}])")


class Piece(NamedTuple):
    """Piece of a rendered conversation: text of the template, or the content of a turn."""

    text: str  # "" for a turn
    turn: int | None
    answer: bool  # a model learns it
    left: bool = False  # white space at the beginning of the content is cut off
    right: bool = False

    def of(self, turns: Sequence[Turn]) -> str:
        """Return the text of the piece in a conversation."""
        if self.turn is None:
            return self.text
        content = turns[self.turn].content
        content = content.lstrip() if self.left else content
        return content.rstrip() if self.right else content


class Generation(Extension):
    """The tag ``{% generation %}``: with the option ``marked`` of its environment it puts BEGIN and END around."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("mark"), [], [], body).set_lineno(line)

    def mark(self, caller: Any) -> str:
        return f"{BEGIN}{caller()}{END}" if self.environment.marked else caller()  # type: ignore[attr-defined]


class Template:
    """Chat template, by the name of a shipped one or the path of a file."""

    def __init__(self, source: str, name: str, bos: str = "", eos: str = ""):
        """Compile a template; ``bos`` and ``eos`` are the texts of its special tokens. Raises RecipeError."""
        self.source, self.name, self.tokens = source, name, {"bos_token": bos, "eos_token": eos}
        self.shipped = name in TEMPLATES
        self._pieces = lru_cache(1 << 12)(self._render_pieces)
        try:
            self._plain, self._marked = (_environment(marked).from_string(source) for marked in (False, True))
        except TemplateError as error:
            raise RecipeError(f"chat template {name}: {error}") from None

    @classmethod
    def named(cls, name: str, bos: str = "", eos: str = "") -> "Template":
        """Return a shipped template, or one in a file. Raises RecipeError if there is none."""
        path = to_path(FOLDER / f"{name}{SUFFIX}" if name in TEMPLATES else name)
        if not path.is_file():
            raise RecipeError(f"no chat template {name!r}; {nearest(name, list(TEMPLATES))}, or name a file of Jinja")
        return cls(path.read_text(encoding="utf-8"), name, bos, eos)

    @cached_property
    def takes_inputs(self) -> bool:
        """True if the template has a place for Alpaca's inputs; others get instruction and input as one message."""
        return f"'{INPUT}'" in self.source or f'"{INPUT}"' in self.source

    def messages(self, turns: Sequence[Turn]) -> list[dict[str, str]]:
        """Return turns as messages of role and content."""
        return messages_of(turns, self.takes_inputs)

    def render(self, turns: Sequence[Turn], prompt: bool = False) -> str:
        """Return the text of a conversation; a prompt ends where the next answer begins."""
        return self._render(self._plain, self.messages(turns), prompt)

    def pieces(self, turns: Sequence[Turn], prompt: bool = False) -> tuple[Piece, ...]:
        """Return the pieces of a conversation. Raises RecipeError if the template changes its contents."""
        found = self._pieces(tuple(turn.role for turn in turns), prompt)
        if not self.shipped and "".join(piece.of(turns) for piece in found) != self.render(turns, prompt):
            raise RecipeError(
                f"chat template {self.name} changes the contents of turns; expected one that leaves them as they are"
            )
        return found

    def end(self) -> str:
        """Return the text after an answer that a model learns to write; the end of text without any."""
        pieces = self._pieces(("user", "assistant"), False)
        answer = next((i for i, piece in enumerate(pieces) if piece.turn == 1), len(pieces))
        return "".join(piece.text for piece in pieces[answer:] if piece.answer) or self.tokens["eos_token"]

    def _render_pieces(self, roles: tuple[str, ...], prompt: bool) -> tuple[Piece, ...]:
        holes = self.messages([Turn(role, f"{HOLE}{turn}{HOLE}") for turn, role in enumerate(roles)])
        padded = [{**hole, "content": f"{PAD}{hole['content']}{PAD}"} for hole in holes]
        return tuple(_cut(self._render(self._marked, padded, prompt)))

    def _render(self, template: Any, messages: list[dict[str, str]], prompt: bool) -> str:
        try:
            return template.render(messages=messages, add_generation_prompt=prompt, **self.tokens)
        except (TemplateError, TypeError) as error:
            raise RecipeError(f"chat template {self.name}: {error}") from None


def _cut(marked: str) -> Iterator[Piece]:
    """Yield the pieces of a rendering with marks."""
    at, answer = 0, False
    for mark in PIECES.finditer(marked):
        if mark.start() > at:
            yield Piece(marked[at : mark.start()], None, answer)
        at = mark.end()
        if mark[1] is not None:
            first = marked[mark.start() - len(SEPARATOR) - 1 : mark.start()] != f"{HOLE}{SEPARATOR}"
            last = marked[at : at + len(SEPARATOR) + 1] != f"{SEPARATOR}{HOLE}"
            left = first and marked[mark.start() - 1 : mark.start()] != PAD
            yield Piece("", int(mark[1]), answer, left, last and marked[at : at + 1] != PAD)
        elif mark[2] != PAD:
            answer = mark[2] == BEGIN
    if at < len(marked):
        yield Piece(marked[at:], None, answer)


def _environment(marked: bool) -> ImmutableSandboxedEnvironment:
    """Return an environment with the options, filters and functions of transformers' templates."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols], autoescape=False
    )
    made.extend(marked=marked)
    made.filters["tojson"] = lambda value, **_: orjson.dumps(value).decode()
    made.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    return made


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)
