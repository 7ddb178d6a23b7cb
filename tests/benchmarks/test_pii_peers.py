"""Other tools beside ours in ``python -m benchmarks.pii``: run where they are, and named where they are not."""

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from benchmarks import pii
from benchmarks.harness import BenchmarkError
from benchmarks.sides import PEERS
from gristmill.flows.clean.pii import finder_of
from gristmill.flows.cli import group
from gristmill.pipelines.errors import InputError

TEXT = "Write to jane@mill.org or john@9.9.9.9 of 8.8.4.4, not of 10.1.2.3, please."


def fake(tmp_path, script):
    """A Python that answers as it is told, whatever it is asked to run."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def found(python, texts, folder):
    pii.write_spans("dolma", python, texts, folder / "spans.jsonl")
    return finder_of(str(folder / "spans.jsonl"), [*map(str, range(len(texts)))])(texts)


def test_spans_of_a_peer_come_back_by_document(tmp_path):
    told = [
        {"id": "1", "start": 9, "end": 22, "type": "EMAIL_ADDRESS"},
        {"id": "1", "start": 0, "end": 5, "type": "ip"},
    ]
    lines = "\n".join(json.dumps(span) for span in told)
    python = fake(tmp_path, f"cat > {tmp_path}/asked\nprintf '%s' '{lines}'")
    assert found(python, ["a\nb", TEXT, "\ud800"], tmp_path) == [set(), {(9, 22, "email"), (0, 5, "ip")}, set()]
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == [{"id": "0", "text": "a\nb"}, {"id": "1", "text": TEXT}, {"id": "2", "text": "\ud800"}]


@pytest.mark.parametrize(
    ("script", "error", "part"),
    [
        (
            "echo No module named dolma >&2; exit 3",
            BenchmarkError,
            "No module named dolma; set --peers to a Python with dolma",
        ),
        ("echo '{}'", InputError, r"spans\.jsonl:1 is not a span"),
    ],
)
def test_a_peer_that_does_not_answer_is_said_in_one_line(tmp_path, script, error, part):
    with pytest.raises(error, match=part) as raised:
        found(fake(tmp_path, f"cat > /dev/null; {script}"), [TEXT], tmp_path)
    assert "\n" not in str(raised.value)
    with pytest.raises(BenchmarkError, match="cannot run"):
        found(str(tmp_path / "none"), [TEXT], tmp_path)


@pytest.fixture
def labeled(tmp_path):
    path = tmp_path / "labeled.jsonl"
    path.write_text(json.dumps({"text": TEXT, "pii": [{"start": 9, "end": 22, "type": "email"}]}))
    return str(path)


def test_scores_go_on_without_the_peers_that_are_not_there(tmp_path, labeled, capsys):
    span = json.dumps({"id": "0", "start": 9, "end": 22, "type": "email"})
    python = fake(tmp_path, f"cat > /dev/null; [ $3 = datatrove ] && echo '{span}' || {{ echo none >&2; exit 3; }}")
    pii.score_peers(labeled, python, lines=False)
    said = capsys.readouterr().out
    assert f"dolma does not run in {python}: none" in said
    for tool, score in (("gristmill", "1 right, 0 false"), ("datatrove", "1 right, 0 false")):
        assert re.search(rf"^{tool} +email +{score}, 0 missed", said, re.MULTILINE)


def test_the_command_scores_spans_from_a_file(tmp_path, labeled):
    spans = tmp_path / "spans.jsonl"
    spans.write_text(json.dumps({"id": "1", "start": 9, "end": 22, "type": "EMAIL_ADDRESS"}))
    done = CliRunner().invoke(group, ["pii", "score", labeled, "--spans", str(spans), "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["finder"], row["correct"], row["false"]) for row in rows if row["type"] == "email"] == [
        ("gristmill", 1, 0),
        (str(spans), 1, 0),
    ]


@pytest.mark.skipif(not PEERS.exists(), reason="the peers are not installed; `make peers` does it")
def test_datatrove_finds_what_its_formatter_replaces(tmp_path):
    pii.write_spans("datatrove", str(PEERS), [TEXT, ""], tmp_path / "spans.jsonl")
    expected = [{(9, 22, "email"), (26, 38, "email"), (42, 49, "ip")}, set()]
    assert finder_of(str(tmp_path / "spans.jsonl"), ["0", "1"])([TEXT, ""]) == expected


def test_a_tool_that_is_not_installed_is_absent(tmp_path):
    ran = subprocess.run([sys.executable, "-I", pii.SPANS, "dolma"], input=b"", capture_output=True)
    assert ran.returncode == 3 and b"No module named 'dolma'" in ran.stderr
