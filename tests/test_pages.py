"""The examples of the pages of docs/ run as printed, those for a cluster, S3 and Prefect on stand-ins."""

import re
import sys

import pytest
from corpora import documents, write_jsonl
from pages import REPOSITORY, blocks, prepare_pages, run_page, shell
from processes import dask_cluster, free_port, serving, started, wait_for

DOCS = REPOSITORY / "docs"
TESTED = {f"docs/{name}.md" for name in ("plugins", "tutorial", "how-to/html-in-jsonl", "how-to/share")}
TESTED |= {f"docs/{name}.md" for name in ("commands", "how-to/better-tokenizers")}  # the longest: any worker's
TESTED |= {"docs/how-to/s3.md", "docs/how-to/prefect.md"}  # by another test
NAMES = {path.relative_to(REPOSITORY).as_posix() for path in DOCS.rglob("*.md")}
RUN = [name for name in sorted(NAMES - TESTED) if {"sh", "python"} & {language for language, _ in blocks(name)}]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", RUN)
def test_examples_run_as_printed(name, tmp_path):
    prepare_pages(tmp_path)
    run_page(name, tmp_path)


def test_the_commands_that_need_a_cluster_run_on_one(tmp_path):
    prepare_pages(tmp_path)
    (line,) = (
        line for _, text in blocks("docs/how-to/cluster.md") for line in text.splitlines() if "--engine dask:" in line
    )
    with dask_cluster(1) as (address, _):
        shell(line.replace("tcp://10.0.0.1:8786", address).replace("/shared", str(tmp_path)), tmp_path)
    assert list((tmp_path / "work" / "clean").glob("*.parquet"))


def test_s3_as_printed(tmp_path):
    pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
    s3fs = pytest.importorskip("s3fs", reason="pip install 'gristmill[s3]'")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    access = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    access |= {"AWS_DEFAULT_REGION": "us-east-1"}
    with started(sys.executable, "-m", "moto.server", "--port", port, **access):
        wait_for(port)
        store = s3fs.S3FileSystem(key="x", secret="x", endpoint_url=url)
        store.mkdir("mill")
        store.put(str(write_jsonl(tmp_path / "crawl" / "0.jsonl", documents(60))), "mill/crawl/0.jsonl")
        run_page("docs/how-to/s3.md", tmp_path, **access)
        assert store.glob("mill/work/clean/*.parquet")


@pytest.mark.flow
def test_prefect_as_printed(tmp_path):
    """The port is a free one; the password is the one that `gristmill serve` printed."""
    prepare_pages(tmp_path)
    write_jsonl(tmp_path / "demo" / "0.jsonl", documents(60))
    (_, serve), (_, run) = blocks("docs/how-to/prefect.md")
    with serving(tmp_path, serve.strip()) as printed:
        for name, value in re.findall(r"^export (\w+)=(.*)$", run, re.MULTILINE):
            pattern = re.escape(value).replace("4200", r"\d+").replace(r"\.\.\.", r"[\w-]{24}")
            assert re.fullmatch(pattern, printed[name]), f"{name}: {printed[name]}"
        for line in (line for line in run.splitlines() if line.startswith("prefect ")):
            assert "Completed" in shell(line, tmp_path, **printed)
    for work in ("work", "crawl-work"):
        assert list((tmp_path / work / "clean").glob("*.parquet"))
