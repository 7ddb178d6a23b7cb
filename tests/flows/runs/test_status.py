"""`gristmill status`: what is finished, under way, failed, stopped or stale; the log and figures for programs."""

import json

from gristmill.flows.engine.prometheus import exposition
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.storage.files import to_path


def states(done):
    assert done.returncode == 0, done.stderr
    return {folder["name"]: folder["state"] for folder in json.loads(done.stdout)["folders"]}


def test_status_tells_a_run_from_its_beginning_to_a_changed_recipe(gristmill, corpus, recipe, tmp_path):
    work, metrics = tmp_path / "work", tmp_path / "grist.prom"
    nothing = gristmill("status", work)
    assert nothing.returncode == 2 and "has no run" in nothing.stderr
    run = ["clean", recipe, "--input", corpus, "--output", work, "--workers", 1]
    done = gristmill(*run, "--log-format", "json", "--prometheus", metrics)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [line["step"] for line in lines] == [
        "ingest",
        "measure",
        "decide c4, fineweb",
        "decide exact",
        "link duplicates",
        "apply",
    ]
    assert lines[0]["counts"]["documents"] == 300 and lines[0]["mb_per_second"] > 0
    assert 'gristmill_step_count{step="ingest",of="documents"} 300' in metrics.read_text().splitlines()
    assert {*states(gristmill("status", work, "--json")).values()} == {"finished"}
    (corpus / "3.jsonl").write_text('{"id": "more", "text": "More grain."}\n')
    told = gristmill("status", work, "--json")
    assert states(told)["documents"] == "stale"
    stale = [state for state in states(told).values() if state == "stale"]
    assert (
        f"; {len(stale)} of its {len(states(told))} folders are from another recipe" in json.loads(told.stdout)["run"]
    )
    (corpus / "3.jsonl").unlink()
    (work / "clean" / "manifest.json").unlink()
    (work / "clean" / ".progress").mkdir()
    told = states(gristmill("status", work, "--json"))
    assert told["clean"] == "stopped" and told["steps/exact/decisions"] == "finished"
    note = json.loads((work / "run.json").read_text())
    with exclusive_run(to_path(work), recipe=note["recipe"]):
        told = gristmill("status", work)
    assert told.stdout.startswith("running: process ") and "  running   clean" in told.stdout
    (work / "run.json").write_text(json.dumps(note | {"error": "the disk is full"}))
    told = gristmill("status", work)
    assert "failed after" in told.stdout and "the disk is full" in told.stdout and "  failed    clean" in told.stdout


def test_what_was_made_of_the_run_is_listed(gristmill, corpus, recipe, tmp_path):
    work = tmp_path / "work"
    gristmill("clean", recipe, "--input", corpus, "--output", work, "--workers", 1)
    gristmill("tokenizer", "train", work, "--vocab-size", 270, "--output", work / "tokenizers/bpe", "--workers", 1)
    gristmill("tokenize", work, "--tokenizer", work / "tokenizers/bpe", "--output", work / "tokens/bpe", "--workers", 1)
    for name in ("runs/nano/run.json", "runs/done/summary.json", "report/index.html"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("{}")
    told = gristmill("status", work).stdout.splitlines()[-5:]
    assert [line.split()[:2] for line in told] == [
        ["finished", "tokenizers/bpe"],
        ["finished", "tokens/bpe"],
        ["finished", "runs/done"],
        ["partial", "runs/nano"],
        ["finished", "report"],
    ]
    assert " parts " in told[1] and told[1].endswith(" tokens") and "parts" not in told[4]


def test_two_runs_on_one_folder_are_one_clear_line(gristmill, corpus, recipe, tmp_path):
    with exclusive_run(to_path(tmp_path / "work")):
        done = gristmill("clean", recipe, "--input", corpus, "--output", tmp_path / "work", "--workers", 1)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ") and "is in use by process" in done.stderr.splitlines()[0]


def test_figures_escape_what_a_label_may_not_hold():
    line = {"step": 'a "b"\\\n', "seconds": 1.5, "jobs": 2, "mb_per_second": 3.0, "time": 4.0, "counts": {"x": 5}}
    assert r'gristmill_step_seconds{step="a \"b\"\\\n"} 1.5' in exposition([line]).splitlines()
