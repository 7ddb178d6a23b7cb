"""README is short and has a Chinese twin, the pages show every command, docs/files.md lists the files."""

import re
from pathlib import Path

from benchmarks.readme import CHINESE, README
from gristmill.flows.cli import COMMANDS
from tools.files_page import PAGE, page

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = README.read_text("utf-8")


def test_the_page_of_files_lists_the_files_that_exist():
    assert PAGE.read_text("utf-8") == page(), "python -m tools.files_page writes it again"


def test_the_readme_is_short():
    assert len(re.findall(r"\S*\w\S*", TEXT)) <= 1200


def test_every_command_is_shown():
    pages = [README, *(REPOSITORY / "docs").rglob("*.md")]
    shown = {
        name for page in pages for name in re.findall(r"^gristmill ([\w-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert shown == set(COMMANDS)


def test_the_funnel_is_cut_to_ten_rows():
    block = re.search(r"<!-- funnel -->\n```\n(.*?)\n```", TEXT, re.DOTALL)[1]
    assert len(block.splitlines()) == 1 + 10


def test_the_chinese_readme_has_the_same_sections_commands_and_tables():
    def skeleton(text):
        blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
        prose = re.sub(r"^```.*?^```", "```", text, flags=re.MULTILINE | re.DOTALL)
        levels = re.findall(r"^(#+) |^(```)|^(-|\d+\.) |^(<!-- .* -->)|^(\|)|^(!)", prose, re.MULTILINE)
        named = re.findall(r"`[^`\n]+`|\]\((?!README)[^)]*\)", prose)
        figures = re.findall(r"\d[\d,.]*\d|\d", re.sub(r"`[^`\n]+`|\([^)\n]*\)", "", prose))
        return blocks, levels, sorted(named), sorted(figures)

    assert skeleton(CHINESE.read_text("utf-8")) == skeleton(TEXT)
