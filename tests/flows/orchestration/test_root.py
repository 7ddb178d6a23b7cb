"""Flows write in the folder that ``gristmill serve --root`` names."""

import pytest
from prefect.logging import disable_run_logger

from gristmill.flows.orchestration.flows import FLOWS
from gristmill.flows.orchestration.root import ROOT, output_path, root_folder
from gristmill.flows.orchestration.serve import DEPLOYED
from gristmill.pipelines.errors import RecipeError, WorkError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with links that lead out of it, as the current folder."""
    (tmp_path / "root" / "inner").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "root" / "out").symlink_to(tmp_path / "other")
    (tmp_path / "root" / "in").symlink_to(tmp_path / "root" / "inner")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    monkeypatch.chdir(tmp_path / "root")
    monkeypatch.setenv(ROOT, str(root_folder(".")))
    return tmp_path


INSIDE = [".", "work", "work/tokens/bpe", "inner/../work", "in", "in/work", "{}/root", "{}/root/work", "{}/link/work"]
INSIDE += ["file://{}/root/work", "{}/other/../root/work"]
OUTSIDE = ["..", "../other", "work/../../other", "out", "out/work", "in/../../other", "{}", "{}/other", "{}/root-2"]
OUTSIDE += ["/", "/etc", "file:///etc", "local:///etc", "file://{}/root/../other", "s3://bucket/work", "memory://work"]
OUTSIDE += ["simplecache::file://{}/root/work", "out/../work/../../other"]


@pytest.mark.parametrize("output", INSIDE)
def test_an_output_inside_is_allowed(root, output):
    assert str(output_path(output.format(root))) == output.format(root)


@pytest.mark.parametrize("output", OUTSIDE)
def test_an_output_outside_is_refused(root, output):
    with pytest.raises(RecipeError, match=r"lies outside .*/root; choose one inside, or restart with another --root"):
        output_path(output.format(root))


@pytest.mark.parametrize("name", DEPLOYED)
def test_every_flow_refuses_an_output_outside(root, name):
    with disable_run_logger(), pytest.raises(RecipeError, match="lies outside"):
        FLOWS[name].fn(**DEPLOYED[name] | {"output": "out/work"})
    assert not list((root / "other").iterdir())


@pytest.mark.parametrize(
    ("output", "allowed"),
    [
        ("s3://bucket/corpora", True),
        ("s3://bucket/corpora/work", True),
        ("s3://bucket/corpora-2", False),
        ("s3://bucket/corpora/../other", False),
        ("s3://bucket", False),
        ("/bucket/corpora/work", False),
    ],
)
def test_a_store_may_be_the_root(monkeypatch, output, allowed):
    pytest.importorskip("s3fs", reason="pip install 'gristmill[s3]'")
    monkeypatch.setenv(ROOT, str(root_folder("s3://bucket/corpora/")))
    if allowed:
        assert str(output_path(output)) == output
    else:
        with pytest.raises(RecipeError, match="lies outside"):
            output_path(output)


def test_without_a_root_every_output_is_allowed(monkeypatch):
    monkeypatch.delenv(ROOT, raising=False)
    assert str(output_path("/etc/work")) == "/etc/work"


def test_a_root_must_be_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "missing"):
        with pytest.raises(WorkError, match=r"is not a folder; make it, or name another"):
            root_folder(str(tmp_path / name))
