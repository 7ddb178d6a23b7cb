"""`gristmill serve` here, `prefect deployment run clean-corpus/local` there: the command's bytes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
import yaml
from corpora import IMPACT, documents, tree, write_jsonl
from own_recipe import write_own_recipe, write_raw
from processes import dask_cluster

from gristmill.flows.orchestration.serve import DEPLOYED
from gristmill.flows.orchestration.tasks import TASK_SECONDS, bundle_jobs
from gristmill.pipelines.steps.step import Job, Output

REPOSITORY = Path(__file__).resolve().parents[3]
FLOW = """
import sys
from gristmill.flows.orchestration.flows import clean_corpus
clean_corpus(sys.argv[1], [sys.argv[2]], sys.argv[3])
"""
PREFECT = Path(sys.executable).with_name("prefect")


def prefect(environment, *command):
    done = subprocess.run([PREFECT, *command], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def params(parameters):
    return [text for key, value in parameters.items() for text in ("--param", f"{key}={json.dumps(value)}")]


@pytest.mark.flow
@pytest.mark.slow
def test_the_deployment_gives_the_same_bytes_as_the_command(environment, tmp_path, gristmill):
    """With built-in steps, code of a user and joined scores."""
    recipe, raw = write_own_recipe(tmp_path), write_raw(tmp_path / "raw")
    by_command, by_flow = tmp_path / "command", tmp_path / "flow"
    recipe.write_text(recipe.read_text() + "\n[steps.c4]\nmin_sentences = 2\n\n[steps.fineweb]\n")
    assert gristmill("clean", recipe, "--input", raw, "--output", by_command).returncode == 0
    parameters = {"recipe": str(recipe), "input": [str(raw)], "output": str(by_flow), "workers": 2}
    told = prefect(environment, "deployment", "run", "clean-corpus/local", "--watch", *params(parameters))
    assert "Completed" in told and "funnel of " in told
    kept = pl.read_parquet(by_flow / "clean" / "*.parquet").height
    assert ["clean", f"{kept:,}"] in [line.split()[:2] for line in told.splitlines()], told
    results = "documents", "rejects", "steps", "clean", "removed", "ledger"
    assert tree(by_flow, *results) == tree(by_command, *results)


@pytest.mark.flow
@pytest.mark.slow
def test_a_flow_on_dask_that_loses_a_worker_ends_completed(environment, tmp_path, gristmill, corpus, recipe):
    pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
    wanted = ["--input", corpus, "--set", "input.work_unit_bytes=8000", "--output", tmp_path / "here"]
    assert gristmill("clean", recipe, *wanted).returncode == 0
    with dask_cluster(2) as (address, workers):
        parameters = {"recipe": str(recipe), "input": [str(corpus)], "output": str(tmp_path / "dask")}
        parameters |= {"engine": f"dask:{address}", "set": ["input.work_unit_bytes=8000"]}
        command = [PREFECT, "deployment", "run", "clean-corpus/local", "--watch", *params(parameters)]
        with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as run:
            while run.poll() is None and len(list((tmp_path / "dask").rglob("part-*.parquet"))) < 5:
                time.sleep(0.01)
            assert run.poll() is None, "it ended before a worker could be killed"
            workers[0].kill()
            told, _ = run.communicate(timeout=240)
    assert "Completed" in told
    assert tree(tmp_path / "dask", "clean", "removed", "ledger") == tree(
        tmp_path / "here", "clean", "removed", "ledger"
    )


@pytest.mark.flow
@pytest.mark.slow
def test_a_recipe_runs_to_a_model_as_the_command_does(environment, tmp_path, corpus, recipe):
    sections = ["[tokenizer.bpe]", "vocab_size = 300", "[tokens]", "[pretrain]", "steps = 2", "[report]"]
    recipe.write_text("\n".join([recipe.read_text(), *sections]))
    parameters = {"recipe": str(recipe), "input": [str(corpus)], "output": str(tmp_path / "work")}
    told = prefect(environment, "deployment", "run", "run-recipe/local", "--watch", *params(parameters))
    assert "Completed" in told
    assert list((tmp_path / "work" / "runs" / "nano").glob("*.safetensors"))
    assert (tmp_path / "work" / "report" / "index.html").exists()
    outside = params(parameters | {"set": [f"report.output={REPOSITORY / 'page.html'}"]})
    with pytest.raises(AssertionError):
        prefect(environment, "deployment", "run", "run-recipe/local", "--watch", *outside)
    assert not (REPOSITORY / "page.html").exists()


@pytest.mark.flow
@pytest.mark.slow
def test_an_experiment_ends_in_a_verdict(environment, tmp_path, corpus, recipe):
    (tmp_path / "tiny.toml").write_text(IMPACT.partition("[scaling]")[0])
    parameters = {"recipe": str(tmp_path / "tiny.toml"), "input": [str(corpus)], "output": str(tmp_path / "impact")}
    assert "Completed" in prefect(
        environment, "deployment", "run", "measure-impact/local", "--watch", *params(parameters)
    )
    assert "full against raw" in json.loads((tmp_path / "impact" / "impact.json").read_text())["headline"]


@pytest.mark.flow
@pytest.mark.slow
def test_a_cancelled_run_stops_and_goes_on_when_it_is_run_again(environment, api, tmp_path, gristmill, recipe):
    """The page's button does what this does: it sets the state to Cancelling."""
    raw, unit = write_jsonl(tmp_path / "raw" / "0.jsonl", documents(600)), "input.work_unit_bytes=8000"
    parameters = {"recipe": str(recipe), "input": [str(raw)], "output": str(tmp_path / "work")}
    parameters |= {"workers": 2, "set": [unit]}
    idle = processes_of(environment)
    told = prefect(environment, "deployment", "run", "clean-corpus/local", *params(parameters))
    run = f"/flow_runs/{re.search('UUID: (.*)', told)[1]}"
    wait_until(lambda: len(list((tmp_path / "work").rglob("part-*.parquet"))) > 10)
    assert api.get(run).json()["state_type"] == "RUNNING"
    api.post(f"{run}/set_state", json={"state": {"type": "CANCELLING"}}).raise_for_status()
    wait_until(lambda: api.get(run).json()["state_type"] != "CANCELLING")
    assert api.get(run).json()["state_type"] == "CANCELLED"
    wait_until(lambda: processes_of(environment) == idle)
    wait_until(lambda: any("running hook" in line or "Hook 'log_restart' finished" in line for line in logs(api, run)))
    assert any("Run it with the same parameters to continue" in line for line in logs(api, run))

    again = ("deployment", "run", "clean-corpus/local", "--watch")
    assert "Completed" in prefect(environment, *again, *params(parameters))
    assert gristmill("clean", recipe, "--input", raw, "--set", unit, "--output", tmp_path / "whole").returncode == 0
    assert tree(tmp_path / "work", "clean", "removed", "ledger") == tree(
        tmp_path / "whole", "clean", "removed", "ledger"
    )


@pytest.mark.flow
@pytest.mark.slow
def test_a_run_executes_no_pull_steps_and_writes_below_the_root_alone(environment, api, tmp_path, corpus, recipe):
    """The password's owner, or an older server on this database, may have set the deployment's pull steps."""
    deployment = f"/deployments/{api.get('/deployments/name/clean-corpus/local').json()['id']}"
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {tmp_path / 'pwned'}"}}
    api.patch(deployment, json={"pull_steps": [shell]}).raise_for_status()
    assert api.get(deployment).json()["pull_steps"] == [shell]
    parameters = {"recipe": str(recipe), "input": [str(corpus)], "output": str(REPOSITORY / "outside")}
    told = prefect(environment, "deployment", "run", "clean-corpus/local", *params(parameters))
    run = f"/flow_runs/{re.search('UUID: (.*)', told)[1]}"
    wait_until(lambda: api.get(run).json()["state_type"] not in ("SCHEDULED", "PENDING", "RUNNING"))
    state = api.get(run).json()["state"]
    assert state["type"] == "FAILED" and "lies outside" in state["message"]
    assert not (REPOSITORY / "outside").exists() and not (tmp_path / "pwned").exists()


def logs(api, run):
    wanted = {"logs": {"flow_run_id": {"any_": [run.split("/")[-1]]}}}
    return [log["message"] for log in api.post("/logs/filter", json=wanted).json()]


def wait_until(is_true, seconds=240):
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def processes_of(environment):
    """The processes of `gristmill serve` and of its runs, without Python's trackers of resources."""
    found, home = set(), f"PREFECT_HOME={environment['PREFECT_HOME']}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if home in (folder / "environ").read_bytes() and b"tracker" not in (folder / "cmdline").read_bytes():
                found.add(folder.name)
    return found


@pytest.mark.flow
@pytest.mark.slow
def test_ctrl_c_in_a_flow_leaves_nothing_and_says_how_to_go_on(environment, tmp_path, gristmill, corpus, recipe):
    command = [sys.executable, "-c", FLOW, recipe, corpus, tmp_path / "work"]
    started = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen([*map(str, command)], start_new_session=True, **started) as run:
        while run.poll() is None and len(list((tmp_path / "work").rglob("part-*.parquet"))) < 5:
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGINT)
        try:
            told, _ = run.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # Prefect 3.8.8 may wait for its own queue of events, after all else
            os.killpg(run.pid, signal.SIGINT)
            told, _ = run.communicate(timeout=60)
    assert run.returncode
    assert "Run it with the same parameters to continue" in told
    assert not alive_in(run.pid)
    assert subprocess.run([*map(str, command)], env=environment, capture_output=True, timeout=120).returncode == 0
    assert gristmill("clean", recipe, "--input", corpus, "--output", tmp_path / "whole").returncode == 0
    assert tree(tmp_path / "work", "clean", "ledger") == tree(tmp_path / "whole", "clean", "ledger")
    folders = tmp_path / "work", tmp_path / "whole"
    left, made = ({str(path.relative_to(folder)) for path in folder.rglob("*")} for folder in folders)
    assert left == made - {"log.jsonl", "receipt.json"}  # which the command writes


def alive_in(group):
    """The processes of a group that run (a process that nobody waited for is over, and still listed)."""
    rows = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True).stdout.splitlines()
    return [row for row in rows if row.split()[0] == str(group) and not row.split()[1].startswith("Z")]


def test_prefect_yaml_deploys_what_serve_does():
    deployments = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
    named = {d["entrypoint"].partition(":")[2].replace("_", "-"): d["parameters"] for d in deployments}
    assert named == DEPLOYED
    assert {d["name"] for d in deployments} == {"local"}


@pytest.mark.parametrize(
    ("megabytes", "width", "sizes"),
    [
        ([64.0] * 5, 2, [1, 1, 1, 1, 1]),  # a shard is a task
        ([0.0] * 10, 2, [5, 5]),  # an instant each: one task for each worker
        ([0.0] * 10, 1, [10]),
        ([0.0], 4, [1]),
        ([8.0, 8.0, *[0.5] * 20], 2, [2, 2, 9, 9]),  # two models of a common language, twenty of rare ones
        ([], 2, []),
    ],
)
def test_short_jobs_share_a_task(megabytes, width, sizes):
    jobs = [Job(len, (), (Output("", str(k)),), int(size * 1e6)) for k, size in enumerate(megabytes)]
    bundles = bundle_jobs(jobs, width)
    assert sorted(map(len, bundles)) == sizes
    assert sorted((job for bundle in bundles for job in bundle), key=jobs.index) == jobs
    short = (sum(job.seconds for job in bundle) for bundle in bundles if len(bundle) > 1)
    assert all(seconds < 1.2 * TASK_SECONDS for seconds in short)
