"""A lost worker costs one job; a run holds its work folder; passing errors pass."""

import errno
import gc
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

import pytest
from upath import UPath

from gristmill.flows.engine.engines import InProcess, engine
from gristmill.flows.engine.run_lock import exclusive_run, last_run
from gristmill.flows.engine.workers import MAX_ATTEMPTS, Workers, serve
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.steps.step import Job, Output, Written
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.retry import BACKOFF_SECONDS, retry


def job(work, folder, *args, name="part"):
    return Job(work, args, (Output(to_path(folder), name),))


def write(text, outputs):
    (outputs[0].folder / outputs[0].name).write_text(text)
    return [Written([outputs[0].name], {"documents": 1})]


def fall(times, outputs):
    """Its first so many workers are killed in it."""
    falls = Path(outputs[0].folder) / f"{outputs[0].name}.falls"
    with falls.open("a") as file:
        file.write("x")
    if falls.stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return write("up again", outputs)


def hang(outputs):
    time.sleep(600)


def complain(outputs):
    raise KeyError("of the job")


def test_a_killed_worker_is_replaced_and_its_job_done_again(tmp_path, caplog):
    jobs = [job(fall, tmp_path, MAX_ATTEMPTS - 1, name="a"), *(job(write, tmp_path, "x", name=n) for n in "bcd")]
    with engine("processes", 2) as run:
        done = {job.outputs[0].name: parts[0].counts for job, parts in run(jobs)}
    assert done == {name: {"documents": 1} for name in "abcd"}
    assert sum("'fall a' was killed (SIGKILL)" in line.message for line in caplog.records) == MAX_ATTEMPTS - 1


def test_a_job_that_kills_every_worker_is_named(tmp_path):
    workers = Workers(2)
    with pytest.raises(
        WorkError, match=rf"'fall part' was killed \(SIGKILL\).*, {MAX_ATTEMPTS} times; finished parts are"
    ):
        workers.run(job(fall, tmp_path, MAX_ATTEMPTS))
    workers.close()


def test_a_job_past_its_time_is_ended(tmp_path):
    workers = Workers(1, seconds=0.2)
    with pytest.raises(WorkError, match=r"'hang part' exceeded the limit of 0.2 s"):
        workers.run(job(hang, tmp_path))
    assert not workers.idle and all(worker.process.poll() is not None for worker in workers.all)
    workers.close()


def test_what_a_job_raises_comes_with_the_workers_traceback(tmp_path):
    workers = Workers(1)
    with pytest.raises(KeyError) as raised:
        workers.run(job(complain, tmp_path))
    assert "in complain" in raised.value.__notes__[0]
    assert workers.run(job(write, tmp_path, "x"))[0].counts == {"documents": 1}  # by the same worker
    assert len(workers.all) == 1
    workers.close()


def test_a_worker_returns_its_free_memory_when_no_job_follows(monkeypatch):
    did = []
    monkeypatch.setattr("gristmill.flows.engine.workers.run_job", lambda job: did.append(job))
    monkeypatch.setattr("gristmill.flows.engine.workers.release_memory", lambda: did.append("released"))
    ours, theirs = Pipe()
    ours.send("a"), ours.send("b")
    worker = Thread(target=serve, args=(os.dup(theirs.fileno()), os.getppid()))
    worker.start()
    ours.recv(), ours.recv()
    while len(did) < 3:
        time.sleep(0.01)
    theirs.close(), ours.close()
    worker.join()
    assert did == ["a", "b", "released"]


def test_the_collector_passes_over_what_was_there_before_an_engine():
    with engine("threads", 2):
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_a_function_of_the_script_itself_is_refused(tmp_path, monkeypatch):
    """Workers do not run the script again, so they lack its functions."""
    monkeypatch.setattr(sys.modules["__main__"], "own", write, raising=False)
    monkeypatch.setattr(write, "__module__", "__main__")
    monkeypatch.setattr(write, "__qualname__", "own")
    workers = Workers(1)
    with pytest.raises(WorkError, match=r"cannot load the job: .*'own'.*; define classes and functions"):
        workers.run(job(write, tmp_path, "x"))
    monkeypatch.undo()
    assert workers.run(job(write, tmp_path, "x"))[0].counts == {"documents": 1}  # by the same worker
    workers.close()


def test_workers_leave_the_environment_as_it_is(tmp_path, monkeypatch):
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    before, workers = dict(os.environ), Workers(1)
    workers.run(job(write, tmp_path, "x"))
    workers.close()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("name", "seconds", "message"),
    [
        ("processses", None, "did you mean 'processes'"),
        ("threads:8", None, "unknown engine 'threads:8'"),
        ("threads", 3.0, "a thread cannot be stopped"),
    ],
)
def test_an_engine_that_is_none(name, seconds, message):
    with pytest.raises(RecipeError, match=message), engine(name, 2, seconds):
        pass


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNRESET])
def test_a_passing_error_is_waited_out(number, caplog):
    errors = [OSError(number, "for now")] * len(BACKOFF_SECONDS)

    def work():
        if errors:
            raise WorkError("cannot write") from errors.pop()
        return "done"

    assert retry(work, "job", pauses=(0.0,) * len(BACKOFF_SECONDS)) == "done"
    assert len(caplog.records) == len(BACKOFF_SECONDS)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), OSError(errno.ENOENT, "gone"), WorkError("damaged")])
def test_an_error_that_stays_is_told_at_once(error):
    tries = []

    def work():
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        retry(work, "job")
    assert len(tries) == 1


def test_a_passing_error_that_stays_is_told_in_the_end():
    def work():
        raise ConnectionResetError("by the store")

    with pytest.raises(ConnectionResetError):
        retry(work, "job", pauses=(0.0, 0.0))


def test_a_file_that_has_gone_is_one_line(tmp_path):
    with engine("processes", 1) as run, pytest.raises(WorkError, match=r"look nothing: .*nowhere.*; finished parts"):
        list(run([job(look, tmp_path, name="nothing")]))


def look(outputs):
    os.stat("/nowhere/at/all")


def test_threads_take_turns_often_while_an_engine_is_open():
    before = sys.getswitchinterval()
    with engine("threads", 2):
        assert sys.getswitchinterval() < before
    assert sys.getswitchinterval() == before


def test_two_runs_do_not_share_a_work_folder(tmp_path):
    work = to_path(tmp_path / "work")
    busy = pytest.raises(WorkError, match=f"in use by process {os.getpid()} on .*name another --output")
    with exclusive_run(work), busy, exclusive_run(work):
        pass
    with exclusive_run(work):
        assert last_run(work)[1]
    note, running = last_run(work)
    assert not running and "ended" in note and "error" not in note


def test_a_killed_run_leaves_no_lock(tmp_path):
    head = (
        "import os; from gristmill.flows.engine.run_lock import exclusive_run; "
        "from gristmill.pipelines.storage.files import to_path"
    )
    code = f"{head}\nwith exclusive_run(to_path({str(tmp_path)!r})): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    note, running = last_run(to_path(tmp_path))
    assert note["pid"] != os.getpid() and not running and "ended" not in note
    with exclusive_run(to_path(tmp_path)):
        pass


def test_how_a_run_failed_is_noted(tmp_path):
    with pytest.raises(WorkError), exclusive_run(to_path(tmp_path), recipe={"name": "r"}):
        raise WorkError("the disk is full")
    note, _ = last_run(to_path(tmp_path))
    assert note["error"] == "the disk is full" and note["recipe"] == {"name": "r"}


def test_the_largest_job_begins_and_one_that_is_alone_may_use_threads():
    seen = []
    jobs = [Job(len, (), (Output(UPath(), str(size)),), size) for size in (1, 3, 2)]
    with engine("processes", 3, submit=lambda place, jobs: seen.append((place, jobs)) or ()) as run:
        list(run(jobs))
        list(run(jobs[:1]))
    (_, three), (here, _) = seen
    assert [job.bytes for job in three] == [3, 2, 1]
    assert here.width == 1 and here.threads == 3


@pytest.mark.parametrize(("megabytes", "place"), [(90, InProcess), (110, Workers)])
def test_small_runs_of_kernels_start_no_workers(megabytes, place):
    jobs, seen = [Job(len, (), (Output(UPath(), str(k)),), megabytes * 500_000, threaded=True) for k in range(2)], []
    with engine("processes", 2, submit=lambda place, jobs: seen.append(place) or ()) as run:
        list(run(jobs))
    assert type(seen[0]) is place and seen[0].width == 2


def test_cheap_jobs_go_to_workers_that_have_started():
    cheap = [Job(len, (), (Output(UPath(), str(k)),), cheap=True) for k in range(3)]
    heavy, seen = [replace(job, cheap=False) for job in cheap], []
    with engine("processes", 2, submit=lambda place, jobs: seen.append(type(place)) or ()) as run:
        for jobs in (cheap, heavy, cheap):
            list(run(jobs))
    assert seen == [InProcess, Workers, Workers]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_step_without_jobs_needs_no_worker(workers):
    with engine(workers=workers) as run:
        assert [*run([])] == []
