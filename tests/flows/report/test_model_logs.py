"""The log of a model's run is in no manifest: a damaged one is one line."""

import pytest
from upath import UPath

from gristmill.flows.report.models import read_log
from gristmill.pipelines.errors import WorkError


def test_a_log_is_read(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 1, "validation": 2.25}\n')
    assert read_log(UPath(tmp_path / "log.jsonl")).to_dicts() == [
        {"step": 1, "loss": 2.5, "validation": None},
        {"step": 1, "loss": None, "validation": 2.25},
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b"3\n", b"\xff\n", b'{"step": 1}\n', b'{"loss": 1}\n'])
def test_a_damaged_log_is_one_line(tmp_path, content):
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(WorkError, match=r"log\.jsonl is damaged \(.*\); remove the run or train it again") as raised:
        read_log(UPath(tmp_path / "log.jsonl"))
    assert "\n" not in str(raised.value)
