"""The examples of docs/commands.md run as printed: every command."""

import pytest
from pages import prepare_pages, run_page


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_command_runs_as_printed(tmp_path):
    prepare_pages(tmp_path)
    run_page("docs/commands.md", tmp_path)
