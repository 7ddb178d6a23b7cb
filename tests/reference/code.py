"""Plain twins of filters/text/code_lines.py and code_shape.py, over str of one-byte characters."""

import re

NEITHER = re.compile(r"#|=|//|/\*|\*(?=/|[\0- ]|$)|--|\}\Z")
WORD = r"[A-Za-z'\x80-\xff-]+"
CODE = re.compile(
    rf"""
      (?<=[A-Za-z0-9_])\((?!s\))                    # a call
    | ^(?![.@]|[a-z-]+:)(?!.*(?:{WORD},?[ ]){{3}}{WORD}).*[;{{]$  # ends of statements, not of CSS or prose
    | \}}$ | ^\}} | \):$ | ["')\]}}],$              # ends of blocks and items
    | (?<!^)(?<=[\0- !+\-*/:.|&<>])=(?=[\0- ])      # assignments, and comparisons with a mark before
    | (?<!^)(?<!=)==(?!=)
    | (?<!^)=>(?=[\0- ]|$) | ->(?=\w) | ::(?=\w)
    | \$(?=[A-Za-z_{{])
    | (?<=[\0- ])(?:&&|\|\|)
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)
NUMBER = re.compile(r"[0-9]\w*|(?<=\\)x[0-9A-Fa-f]{2}|(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{4,}", re.ASCII)


def code_lines(lines: list[str]) -> tuple[int, int]:
    """Return the number of lines of code, and of lines that are neither blank nor comments nor a lone brace.

    ``lines`` have no white space around them.
    """
    counted = [line for line in lines if line and not NEITHER.match(line)]
    return sum(bool(CODE.search(line)) for line in counted), len(counted)


def shape(text: str) -> tuple[int, int, int, int]:
    """Return the bytes without white space, of letters and digits, of numbers, of encoded runs.

    ``text`` has a character for each byte.
    """
    black = sum(c > " " for c in text)
    alphanumeric = sum(c > "\x7f" or (c.isascii() and c.isalnum()) for c in text)
    words = re.finditer(r"\w+", text, re.ASCII)
    numbers = sum(
        len(word[0]) for word in words if (found := NUMBER.match(text, word.start())) and found.end() == word.end()
    )
    runs = re.findall(r"[A-Za-z0-9+/=]{64,}", text)
    return black, alphanumeric, numbers, sum(len(run) for run in runs if re.search("[0-9]", run))
