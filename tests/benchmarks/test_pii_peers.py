"""Other tools beside ours in ``gristmill pii score``: run where they are, and named where they are not."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from benchmarks.rows import PEERS
from gristmill.flows.clean.pii import PEERS as SCRIPT
from gristmill.flows.clean.pii import PeerError, peer_finder
from gristmill.flows.cli import group
from gristmill.pipelines.errors import InputError

TEXT = "Write to jane@mill.org or john@9.9.9.9 of 8.8.4.4, not of 10.1.2.3, please."


def fake(tmp_path, script):
    """A Python that answers as it is told, whatever it is asked to run."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_spans_of_a_peer_come_back_by_document(tmp_path):
    told = [
        {"id": "1", "start": 9, "end": 22, "type": "EMAIL_ADDRESS"},
        {"id": "1", "start": 0, "end": 5, "type": "ip"},
    ]
    lines = "\n".join(json.dumps(span) for span in told)
    find = peer_finder("dolma", fake(tmp_path, f"cat > {tmp_path}/asked\nprintf '%s' '{lines}'"))
    assert find(["a\nb", TEXT, "\ud800"]) == [set(), {(9, 22, "email"), (0, 5, "ip")}, set()]
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    assert asked == [{"id": "0", "text": "a\nb"}, {"id": "1", "text": TEXT}, {"id": "2", "text": "\ud800"}]


@pytest.mark.parametrize(
    ("script", "error", "part"),
    [
        ("echo No module named dolma >&2; exit 3", PeerError, "No module named dolma; --peers names"),
        ("echo '{}'", InputError, "dolma:1 is no span"),
    ],
)
def test_a_peer_that_does_not_answer_is_said_in_one_line(tmp_path, script, error, part):
    with pytest.raises(error, match=part) as raised:
        peer_finder("dolma", fake(tmp_path, f"cat > /dev/null; {script}"))([TEXT])
    assert "\n" not in str(raised.value)
    with pytest.raises(PeerError, match="cannot run"):
        peer_finder("dolma", str(tmp_path / "none"))([TEXT])


def test_score_goes_on_without_the_peers_that_are_not_there(tmp_path):
    labelled = tmp_path / "labelled.jsonl"
    labelled.write_text(json.dumps({"text": TEXT, "pii": [{"start": 9, "end": 22, "type": "email"}]}))
    span = json.dumps({"id": "0", "start": 9, "end": 22, "type": "email"})
    python = fake(tmp_path, f"cat > /dev/null; [ $3 = datatrove ] && echo '{span}' || {{ echo none >&2; exit 3; }}")
    done = CliRunner().invoke(group, ["pii", "score", str(labelled), "--peers", python, "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["finder"], row["type"], row["right"]) for row in rows] == [
        ("gristmill", "email", 1),
        ("datatrove", "email", 1),
    ]
    assert f"dolma does not run in {python}: none" in done.stderr


@pytest.mark.skipif(not PEERS.exists(), reason="the peers are not installed; `make peers` does it")
def test_datatrove_finds_what_its_formatter_replaces():
    assert peer_finder("datatrove", str(PEERS))([TEXT, ""]) == [
        {(9, 22, "email"), (26, 38, "email"), (42, 49, "ip")},
        set(),
    ]


def test_a_tool_that_is_not_installed_is_absent(tmp_path):
    ran = subprocess.run([sys.executable, "-I", SCRIPT, "dolma"], input=b"", capture_output=True)
    assert ran.returncode == 3 and b"No module named 'dolma'" in ran.stderr
