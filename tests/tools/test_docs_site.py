"""The documentation site is built without a warning and loads nothing from elsewhere; its reference is complete."""

import re

import pytest

from gristmill.flows.clean.recipe import STEPS
from gristmill.flows.cli import COMMANDS
from tools import docs_site
from tools.docs_site import REPOSITORY, gather, relinked
from tools.reference import OF_EVERY_FILTER, commands_page, library_page, settings_page


def test_every_setting_has_a_row():
    tables = dict(re.findall(r"^## \[([\w.]+)\]\n(.*?)(?=^## |\Z)", settings_page(), re.MULTILINE | re.DOTALL))
    for name, kind in STEPS.items():
        rows = re.findall(r"^\| `([\w.]+)` \|", tables[f"steps.{name}"], re.MULTILINE)
        assert {*rows} == kind.model_fields.keys() - {*OF_EVERY_FILTER}, name
    assert {"input", "output", "tokenizer", "tokens", "export", "pretrain", "report"} <= tables.keys()


def test_every_command_and_public_name_has_a_section():
    import gristmill as gm

    commands = commands_page()
    assert all(f"\n### gristmill {name}\n" in commands for name in COMMANDS)
    assert "\n### gristmill tokenizer train\n" in commands and "--vocab-size" in commands
    assert all(f"\n## gm.{name}\n" in library_page() for name in gm.__all__ if not name.startswith("_"))


def test_links_follow_their_pages():
    page = REPOSITORY / "docs" / "decisions" / "README.md"
    text = "[log](../../LOG.md#a) [code](../../tools/tree.py) [page](names-kept.md) [web](https://numba.pydata.org)"
    moved = "[log](../log.md#a) code [page](../decisions/names-kept.md) [web](https://numba.pydata.org)"
    assert relinked(text, page) == moved
    assert relinked("![a](docs/report.png)", REPOSITORY / "README.md") == "![a](report.png)"


@pytest.mark.slow
def test_the_site_is_built_and_a_broken_link_ends_it(tmp_path):
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    config = (REPOSITORY / "mkdocs.yml").read_text()
    for ours, here in (("build/docs", tmp_path / "docs"), ("docs/site", tmp_path / "site")):
        config = config.replace(f"_dir: {ours}", f"_dir: {here}")
    (tmp_path / "mkdocs.yml").write_text(config)
    gather(tmp_path / "docs")
    assert docs_site.build(tmp_path / "mkdocs.yml")
    pages = [path.read_text("utf-8") for path in (tmp_path / "site").rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        assert not re.search(r"""(?:src|@import|url\()=?["'(]?\s*(?:https?:)?//|<link[^>]+href="https?:""", page)
    with (tmp_path / "docs" / "faq.md").open("a") as file:
        file.write("\n[nowhere](nowhere.md)\n")
    assert not docs_site.build(tmp_path / "mkdocs.yml")
