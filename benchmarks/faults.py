"""Fault injection: ``python -m benchmarks.faults [--kills 20] [--only WORD]``.

For each fault the script cleans the same small corpus, injects the fault, resumes the run if the fault ended it, and
compares all results with those of an undisturbed run. The exit code is 1 if a document is lost or a byte differs.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.file_damage import DAMAGE
from benchmarks.mill import HERE, Mill, workers_of
from gristmill.flows.orchestration.server import new_password, server

FLOW = """
import sys
from gristmill.flows.orchestration.flows import clean_corpus
clean_corpus(sys.argv[1], [sys.argv[2]], sys.argv[3])
"""


def kill_worker(mill: Mill, sign: int = signal.SIGKILL) -> str:
    process, killed = mill.start("--job-seconds", "120"), 0
    while process.poll() is None and not killed:
        for pid in workers_of(process.pid)[:1]:
            os.kill(pid, sign)
            killed += 1
        time.sleep(0.05)
    code, line = mill.end(process)
    return f"{killed} worker ended by {signal.Signals(sign).name}; run: exit {code} {line}"


def kill_run(mill: Mill, sign: int) -> str:
    process = mill.start()
    running = mill.until(process, 9)
    os.killpg(process.pid, sign) if sign == signal.SIGINT else process.send_signal(sign)
    code, line = mill.end(process)
    return f"{'running' if running else 'ended'}, then exit {code} {line}"


def hang(mill: Mill) -> str:
    process, stopped = mill.start("--job-seconds", "20"), 0
    while process.poll() is None and not stopped:
        for pid in workers_of(process.pid)[:1]:
            os.kill(pid, signal.SIGSTOP)
            stopped += 1
        time.sleep(0.05)
    code, line = mill.end(process)
    return f"{stopped} worker stopped (SIGSTOP), replaced after 20 s: exit {code} {line}"


def full_disk(mill: Mill, size: int) -> str:
    """Let no file of the run grow beyond ``size`` bytes: the error is that of a full disk."""

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    code, line = mill.run(preexec_fn=full)
    return f"exit {code} {line}"


def vanish(mill: Mill) -> str:
    """Rename the input folder during the run and back afterwards, as if its mount vanished."""
    process, gone = mill.start(), mill.raw.with_name("unmounted")
    mill.until(process, 1)
    mill.raw.rename(gone)
    code, line = mill.end(process)
    gone.rename(mill.raw)
    return f"exit {code} {line}"


def vanished_work(mill: Mill) -> str:
    """Delete the finished documents during the run."""
    process = mill.start()
    mill.until(process, 9)
    shutil.rmtree(mill.work / "documents", ignore_errors=True)
    code, line = mill.end(process)
    return f"exit {code} {line}"


def two_runs(mill: Mill) -> str:
    first = mill.start()
    mill.until(first, 1)
    code, line = mill.run()
    mill.end(first)
    return f"second: exit {code} {line}"


def clock(mill: Mill) -> str:
    process = mill.start()
    mill.until(process, 9)
    process.kill()
    process.wait()
    for path in mill.work.rglob("*"):
        os.utime(path, (2**31 - 10, 2**31 - 10) if sum(path.name.encode()) % 2 else (1, 1))
    return "killed; half of the files dated 2038, half 1970"


def restart_server(mill: Mill) -> str:
    """Stop Prefect's server while a flow runs and start another on the same port and database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {"PREFECT_HOME": str(mill.raw.parent / "prefect"), "DO_NOT_TRACK": "1"}
    command, password = [sys.executable, "-c", FLOW, mill.recipe, mill.raw, mill.work], new_password()
    with server(port, password) as environment:
        env = os.environ | {"PYTHONPATH": str(HERE)} | environment
        process = subprocess.Popen(
            list(map(str, command)), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        running = mill.until(process, 9)
    with server(port, password):
        code = process.wait(300)
    return f"{'running' if running else 'ended'} when the server stopped; flow: exit {code}"


def no_rights(mill: Mill) -> str:
    (mill.work).write_text("a file where the folder should be")
    code, line = mill.run()
    mill.work.unlink()
    return f"exit {code} {line}"


def soak(mill: Mill, kills: int) -> str:
    rng, hits = random.Random(7), 0
    for _ in range(kills):
        process = mill.start()
        if mill.until(process, mill.shard_count() + rng.randint(1, 6)):
            victims = [*workers_of(process.pid), process.pid]
            os.kill(rng.choice(victims), signal.SIGKILL)
            hits += 1
            time.sleep(rng.random())
        process.kill()
        process.communicate()
        if mill.shard_count() > 30 and rng.random() < 0.5:  # start over, so that kills hit every step
            shutil.rmtree(mill.work)
    return f"{hits} of {kills} kills hit a running process"


FAULTS: dict[str, Callable[[Mill], str]] = {
    "worker killed (OOM killer's SIGKILL)": kill_worker,
    "worker segfaults": lambda mill: kill_worker(mill, signal.SIGSEGV),
    "worker terminated (SIGTERM)": lambda mill: kill_worker(mill, signal.SIGTERM),
    "job hangs past its limit": hang,
    "run killed (SIGKILL)": lambda mill: kill_run(mill, signal.SIGKILL),
    "run terminated (SIGTERM)": lambda mill: kill_run(mill, signal.SIGTERM),
    "Ctrl-C": lambda mill: kill_run(mill, signal.SIGINT),
    "disk full": lambda mill: full_disk(mill, 9_000),
    "disk full later": lambda mill: full_disk(mill, 30_000),
    "input's mount vanishes": vanish,
    "documents vanish from the work folder": vanished_work,
    "Prefect's server restarted in mid-run": restart_server,
    "two runs on one work folder": two_runs,
    "clock skew": clock,
    "work folder cannot be made": no_rights,
    **DAMAGE,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="number of random kills in the soak (default 20)")
    parser.add_argument("--only", default="", help="run only the faults whose names contain WORD", metavar="WORD")
    arguments = parser.parse_args()
    faults = FAULTS | {f"soak: {arguments.kills} random kills": lambda mill: soak(mill, arguments.kills)}
    bad = 0
    print("| fault | what happened | documents lost | same bytes |\n|---|---|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        mill = Mill(Path(folder))
        if mill.end(mill.start(work=mill.whole))[0]:
            sys.exit("Error: the undisturbed run failed; run `gristmill clean` by hand to see why")
        for name, inject in faults.items():
            if arguments.only not in name:
                continue
            shutil.rmtree(mill.work, ignore_errors=True)
            happened = inject(mill)
            code, line = mill.run()  # resume; if the run survived the fault, nothing is left to do
            lost, same = (mill.lost(), mill.same()) if code == 0 else (line, False)
            bad += bool(lost) or not same
            happened = " ".join(happened.replace(str(mill.raw.parent), "…").split())
            print(f"| {name} | {happened} | {lost} | {'yes' if same else 'NO'} |", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
