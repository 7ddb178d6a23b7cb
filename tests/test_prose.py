"""Sentences of docstrings, help texts, comments and errors keep the rules of tools/prose_lint.py."""

import pytest

from tools.prose_lint import LINTED, REPOSITORY, lint, lint_paths


def test_every_sentence_keeps_the_rules():
    assert list(lint_paths([REPOSITORY / name for name in LINTED])) == []


def function(docstring: str) -> str:
    return f'def name():\n    """{docstring}"""\n'


GOOD = [
    function("Return the text of each line."),
    function("True if the text is empty."),
    function("Count the words of each document."),
    "def _private():\n    '''The text.'''\n",
    "def outer():\n    def local():\n        '''The text.'''\n",
    "class Name:\n    '''A table of words.'''\n\n    @property\n    def size(self):\n        '''Number of words.'''\n",
    "class Name:\n    '''Count of words per line.'''\n",
    "class Name:\n    '''Gopher's document rules.'''\n",
    "option(help='Maximum number of words.')\noption(help='Write scores to FILE.')\noption(help='Do not write.')\n",
    "'''Pre-token cache: bytes to ids.'''\n",
]
BAD = [
    (function("The text of each line."), 2, "'the text'"),
    (function("Returns the text."), 2, "'return'"),
    (function("Count of words."), 2, "'count of'"),
    (function("Is the text empty?"), 2, "'is the'"),
    (function("``text`` without its lines."), 2, "verb"),
    (function("Return the text.\n\n    It has what is left."), 4, "what is"),
    ("def _private():\n    '''The user who has it.'''\n", 2, "who"),
    ("class Name:\n    '''Drops the documents.'''\n", 2, "'drops'"),
    ("class Name:\n    '''Counts how many.'''\n", 2, "'counts'"),
    ("class Name:\n    '''What a table holds.'''\n", 2, "'what'"),
    ("class Name:\n    def size(self):\n        '''Number of words.'''\n", 3, "number of"),
    ("option(help='Of what is drawn.')\n", 1, "'of'"),
    ("option(help='Its folder.')\n", 1, "'its'"),
    ("HELP = 'Which one.'\noption(help=HELP)\n", 2, "'which'"),
    ("x = 1  # those that stay\n", 1, "those that"),
    ("raise ValueError(f'{x} goes by the name of {y}')\n", 1, "goes by"),
    ("'''Where the files lie.'''\n", 1, "'where'"),
]


@pytest.mark.parametrize("source", GOOD)
def test_a_good_sentence_passes(source):
    assert lint(source) == []


@pytest.mark.parametrize(("source", "line", "part"), BAD)
def test_a_bad_sentence_is_shown_with_its_line(source, line, part):
    problems = lint(source)
    assert any(at == line and part in problem for at, problem in problems), problems
