"""Push to a Hub on loopback: the client's own code over HTTP."""

import os
import subprocess
import sys

import huggingface_hub
import pytest
from corpora import documents, write_jsonl
from huggingface_hub.utils import disable_progress_bars

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.publish.push import push_corpus
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.storage.files import to_path
from tests.flows.publish.hub import TOKEN, serving

# huggingface_hub hands files to its HTTP library by an argument that this deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def run(raw, work, **output):
    inputs = {"paths": [str(raw)], "work_unit_bytes": 20_000}
    clean(parse_recipe({"name": "mill", "input": inputs, "steps": {"exact": {}}, "output": output}, "test"), work)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return write_jsonl(tmp_path_factory.mktemp("raw") / "raw.jsonl", list(documents(120)))


@pytest.fixture(scope="module")
def work(raw, tmp_path_factory):
    work = to_path(tmp_path_factory.mktemp("run") / "work")
    run(raw, work, split_by="source")
    return work


@pytest.fixture
def hub(monkeypatch):
    disable_progress_bars()
    with serving() as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)  # its server speaks no HTTP of ours
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


def shards(work):
    return {
        f"data/{path.relative_to(str(work / 'clean'))}": path.read_bytes()
        for path in (work / "clean").rglob("*.parquet")
    }


def test_shards_and_card_appear_by_one_commit(hub, work):
    url = push_corpus(work, "ada/mill", private=True, license="cc-by-4.0")
    assert url == f"{hub.url}/datasets/ada/mill" and hub.private["ada/mill"]
    files = dict(hub.repos["ada/mill"]["main"])
    card = files.pop("README.md").decode()
    assert files == shards(work) and len(hub.commits) == 1
    assert "license: cc-by-4.0" in card and "path: data/source=crawl-0/*.parquet" in card
    push_corpus(work, "ada/mill", license="cc-by-4.0")
    assert sorted(hub.puts) == sorted({*hub.puts}) and len(hub.puts) == len(files)


def test_a_branch_gets_the_corpus_and_main_stays(hub, work):
    push_corpus(work, "ada/mill", revision="v2")
    assert hub.repos["ada/mill"]["main"] == {} and "README.md" in hub.repos["ada/mill"]["v2"]


def test_a_push_that_was_stopped_continues(hub, work):
    hub.lost_after = 2
    with pytest.raises(GristmillError, match=r"the upload to ada/mill stopped .*run the same command again") as caught:
        push_corpus(work, "ada/mill")
    assert "\n" not in str(caught.value) and not hub.commits
    arrived, hub.lost_after = [*hub.puts], None
    push_corpus(work, "ada/mill")
    assert sorted(hub.puts) == sorted({*hub.puts}) and hub.puts[: len(arrived)] == arrived
    assert {path: hub.repos["ada/mill"]["main"][path] for path in shards(work)} == shards(work)


def test_shards_that_the_corpus_lacks_are_deleted_and_other_files_stay(hub, raw, work, tmp_path):
    push_corpus(work, "ada/mill")
    hub.repos["ada/mill"]["main"]["LICENSE"] = b"mine"
    run(raw, to_path(tmp_path / "work"))
    push_corpus(to_path(tmp_path / "work"), "ada/mill")
    files = hub.repos["ada/mill"]["main"]
    assert {*files} == {"LICENSE", "README.md", *shards(to_path(tmp_path / "work"))}


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ({"/api/repos": 401}, "the Hub does not accept the token for ada/mill; set HF_TOKEN, or log in"),
        ({"/api/repos": 403}, "the token may not write to ada/mill; make one with write permission"),
        ({"/api/datasets": 404}, "the Hub has no ada/mill, or the token may not see it"),
        ({"/api/validate-yaml": 418}, "the Hub answered 418 for ada/mill .*run the same command again"),
    ],
)
def test_a_refusal_is_one_line(hub, work, refused, told):
    hub.refused = refused
    with pytest.raises(GristmillError, match=told) as caught:
        push_corpus(work, "ada/mill")
    assert "\n" not in str(caught.value) and not hub.commits


def test_no_token_no_server_no_name_and_a_wrong_token_are_one_line(hub, work, monkeypatch):
    with pytest.raises(GristmillError, match=r"'a/b/c' is no name of a repository: .*expected OWNER/NAME"):
        push_corpus(work, "a/b/c")
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(GristmillError, match=r"does not accept the token"):
        push_corpus(work, "ada/mill")
    monkeypatch.delenv("HF_TOKEN")
    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", "/nowhere")
        with pytest.raises(GristmillError, match=r"needs a token: set HF_TOKEN, or log in with `hf auth login`"):
            push_corpus(work, "ada/mill")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(GristmillError, match=r"the upload to ada/mill stopped \(.*run the same command again"):
        push_corpus(work, "ada/mill")


def test_the_command_pushes_to_the_endpoint_of_the_environment(hub, work, tmp_path):
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "gristmill", "push", str(work), "ada/mill"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == f"{hub.url}/datasets/ada/mill\n", done.stderr
    assert "README.md" in hub.repos["ada/mill"]["main"]
    done = subprocess.run(command, env=environment | {"HF_TOKEN": "hf_other"}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("Error: the Hub does not accept the token for ada/mill;")
    assert done.stderr.count("\n") == 1
