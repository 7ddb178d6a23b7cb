"""The snippets of CONTRIBUTING.md work: its tests are collected here and run with the rest."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
TEXT = PAGE.read_text("utf-8")

for block in re.finditer(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
    lines_before = "\n" * TEXT.count("\n", 0, block.start(1))  # so that a failure names the line of the page
    exec(compile(lines_before + block[1], str(PAGE), "exec"), globals())
