"""docs/how-to/share.md runs as printed, with a stand-in of the Hub."""

import pytest
from pages import run_page

from tests.flows.publish.hub import TOKEN, serving


@pytest.mark.slow
def test_the_page_runs_as_printed(tmp_path):
    with serving() as hub:
        hugging_face = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        run_page("docs/how-to/share.md", tmp_path, HF_HOME=str(tmp_path / "cache"), **hugging_face)
        pushed = hub.repos["ada/mill-corpus"]["main"]
    shards = {str(path.relative_to(tmp_path / "work" / "clean")) for path in tmp_path.glob("work/clean/*/*.parquet")}
    assert {*pushed} == {"README.md"} | {f"data/{shard}" for shard in shards}
    assert "language=en" in {shard.partition("/")[0] for shard in shards}
    assert len([*tmp_path.glob("jsonl/language=en/*.jsonl.zst")]) >= 1
