"""The examples of docs/how-to/better-tokenizers.md run as printed."""

import pytest
from pages import prepare_pages, run_page


@pytest.mark.slow
def test_the_page_about_better_tokenizers_runs_as_printed(tmp_path):
    prepare_pages(tmp_path)
    run_page("docs/how-to/better-tokenizers.md", tmp_path)
