"""A Dask scheduler and two workers as processes of their own, one killed in the middle; an S3 store: the same bytes."""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from corpora import documents, tree, write_jsonl
from processes import dask_cluster, free_port, started, wait_for

REPOSITORY = Path(__file__).resolve().parents[3]
RESULTS = ("documents", "rejects", "clean", "removed", "ledger")

pytestmark = pytest.mark.slow


@pytest.fixture
def raw(tmp_path):
    for k in range(6):
        rows = [{**row, "id": f"{k}-{row['id']}"} for row in documents(seed=k)]
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows)
    return tmp_path / "raw"


def test_a_dask_worker_killed_in_the_middle_changes_no_byte(gristmill, raw, recipe, tmp_path):
    pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
    run = ["clean", recipe, "--input", raw, "--set", "input.work_unit_bytes=20000", "--output"]
    assert gristmill(*run, tmp_path / "here", "--workers", 1).returncode == 0
    with ExitStack() as cluster:
        address, (first, _) = cluster.enter_context(dask_cluster(2))
        command = [sys.executable, "-m", "gristmill", *map(str, run), tmp_path / "dask", "--engine", f"dask:{address}"]
        cleaning = cluster.enter_context(started(*command))
        while cleaning.poll() is None and len(list((tmp_path / "dask").rglob("part-*.parquet"))) < 5:
            time.sleep(0.01)
        assert cleaning.poll() is None, "it ended before a worker could be killed"
        first.kill()
        assert cleaning.wait(240) == 0
    assert tree(tmp_path / "dask", *RESULTS) == tree(tmp_path / "here", *RESULTS)


def test_no_scheduler_is_one_line(gristmill_process, raw, recipe, tmp_path):
    pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
    address = f"dask:tcp://127.0.0.1:{free_port()}"
    done = gristmill_process("clean", recipe, "--input", raw, "--output", tmp_path / "work", "--engine", address)
    assert done.returncode == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1" in done.stderr.splitlines()[-1]


def test_slurm_jobs_give_the_same_bytes(gristmill, gristmill_process, corpus, recipe, tmp_path):
    """With an sbatch that starts the job's script here, and the configuration that recipes/ holds."""
    pytest.importorskip("dask_jobqueue", reason="pip install 'gristmill[cluster]'")
    run = ["clean", recipe, "--input", corpus, "--workers", 1, "--output"]
    refused = gristmill_process(*run, tmp_path / "none", "--engine", "slurm")
    assert refused.returncode == 2 and "sbatch, which is not on this machine" in refused.stderr
    commands = {
        # the job's script is deleted as soon as sbatch has returned: SLURM keeps its own copy
        "sbatch": 'script=$(cat "$1")\nbash -c "$script" > /dev/null 2>&1 &\necho Submitted batch job $!',
        "scancel": 'pkill -P "$1"; kill "$1"',
    }
    for name, script in commands.items():
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    env = {
        "DASK_CONFIG": str(REPOSITORY / "recipes" / "slurm.yaml"),
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }
    env |= {"DASK_JOBQUEUE__SLURM__PROCESSES": "1", "DASK_JOBQUEUE__SLURM__CORES": "1"}
    done = gristmill_process(*run, tmp_path / "slurm", "--engine", "slurm", env=env)
    assert done.returncode == 0, done.stderr
    assert gristmill(*run, tmp_path / "here").returncode == 0
    assert tree(tmp_path / "slurm", *RESULTS) == tree(tmp_path / "here", *RESULTS)


def test_a_work_folder_on_s3_holds_the_same_bytes(gristmill, gristmill_process, corpus, recipe, tmp_path):
    pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
    s3fs = pytest.importorskip("s3fs", reason="pip install 'gristmill[s3]'")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    access = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    access |= {"AWS_DEFAULT_REGION": "us-east-1"}
    run = ["clean", recipe, "--input", corpus, "--set", "input.work_unit_bytes=60000", "--workers", 2, "--output"]
    assert gristmill(*run, tmp_path / "here").returncode == 0
    with started(sys.executable, "-m", "moto.server", "--port", port, **access):
        wait_for(port)
        store = s3fs.S3FileSystem(key="x", secret="x", endpoint_url=url)
        store.mkdir("mill")
        done = gristmill_process(*run, "s3://mill/work", env=access)
        assert done.returncode == 0, done.stderr
        again = gristmill_process(*run, "s3://mill/work", env=access)
        assert "Nothing to do" in again.stderr, again.stderr
        store.get("mill/work", str(tmp_path / "there"), recursive=True)
    assert tree(tmp_path / "there", *RESULTS) == tree(tmp_path / "here", *RESULTS)
