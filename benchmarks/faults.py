"""Fault injection: ``python -m benchmarks.faults [--kills 20] [--only WORD]``.

For each fault the script cleans the same small corpus, injects the fault, resumes the run if the fault ended it, and
compares all results with those of an undisturbed run. The exit code is 1 if a document is lost or a byte differs.
"""

import argparse
import json
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
from contextlib import suppress
from pathlib import Path

from gristmill.flows.orchestration.server import new_password, server

HERE = Path(__file__).resolve().parents[1]
RESULTS = ("documents", "rejects", "clean", "removed", "ledger")
DOCUMENTS = 2400
RECIPE = "[input]\nwork_unit_bytes = 60000\n[steps.c4]\nmin_sentences = 2\n[steps.fineweb]\n[steps.exact]\n"
FLOW = """
import sys
from gristmill.flows.orchestration.flows import clean_corpus
clean_corpus(sys.argv[1], [sys.argv[2]], sys.argv[3])
"""
WORDS = "the mill by a river turns grain into flour and of bread people have made for years with water to be told"


class Mill:
    """A corpus, a recipe, the work folder of the disturbed run and that of the undisturbed run."""

    def __init__(self, folder: Path):
        self.raw, self.recipe, self.work, self.whole = (folder / n for n in ("raw", "recipe.toml", "work", "whole"))
        self.recipe.write_text(RECIPE)
        self.raw.mkdir()
        rng = random.Random(1)
        for k in range(8):
            with (self.raw / f"{k}.jsonl").open("w") as file:
                for i in range(DOCUMENTS // 8):
                    lines = (" ".join(rng.choices(WORDS.split(), k=rng.randint(4, 25))) for _ in range(9))
                    text = "\n".join(line.capitalize() + "." for line in lines) if i % 7 else "short"
                    file.write(json.dumps({"id": f"{k}-{i}", "text": text}) + "\n")

    def start(self, *options: str, work: Path | None = None, **popen) -> subprocess.Popen:
        command = [sys.executable, "-m", "gristmill", "clean", self.recipe, "--input", self.raw, "--workers", "2"]
        command += ["--output", work or self.work, *options]
        popen["env"] = os.environ | {"PYTHONPATH": str(HERE)} | popen.get("env", {})
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(list(map(str, command)), start_new_session=True, **quiet, **popen)

    def run(self, *options: str, **popen) -> tuple[int, str]:
        """Run to the end; return the exit code and the last line that begins with Error or Interrupted."""
        process = self.start(*options, **popen)
        return self.end(process)

    def end(self, process: subprocess.Popen) -> tuple[int, str]:
        _, output = process.communicate(timeout=300)
        errors = [line for line in output.splitlines() if line.startswith(("Error", "Interrupted"))]
        return process.returncode, errors[-1] if errors else ""

    def shard_count(self) -> int:
        return sum(1 for _ in self.work.rglob("part-*.parquet"))

    def until(self, process: subprocess.Popen, files: int) -> bool:
        """Wait until the run has written ``files`` shards or has ended; return True if it is still running."""
        while process.poll() is None and self.shard_count() < files:
            time.sleep(0.005)
        return process.poll() is None

    def same(self) -> bool:
        return tree(self.work) == tree(self.whole)

    def lost(self) -> int:
        summary = json.loads((self.work / "summary.json").read_text())
        return DOCUMENTS - summary["clean"] - summary["removed"] - summary["rejects"]


def tree(work: Path) -> dict[str, bytes]:
    files = (path for name in RESULTS for path in (work / name).rglob("*") if path.is_file())
    return {str(path.relative_to(work)): path.read_bytes() for path in files}


def workers_of(pid: int) -> list[int]:
    """Return the worker processes of a run, without the resource tracker of multiprocessing."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the process has ended meanwhile
            pids = map(int, path.read_text().split())
            found += [p for p in pids if b"spawn_main" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return found


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


def full_disk(mill: Mill) -> str:
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, resource.RLIM_INFINITY))

    code, line = mill.run(preexec_fn=full, env={"NUMBA_CACHE_DIR": str(mill.raw.parent / "numba")})
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


def corrupt(mill: Mill, damage: Callable[[Path], object]) -> str:
    mill.run()
    shard = sorted((mill.work / "documents").glob("*.parquet"))[0]
    damage(shard)
    shutil.rmtree(mill.work / "clean")
    shutil.rmtree(mill.work / "steps")
    code, line = mill.run()
    shard.unlink(missing_ok=True)
    return f"exit {code} {line}; shard removed as the error says, run again"


def zero(path: Path) -> None:
    path.write_bytes(b"\0" * path.stat().st_size)


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
    "disk full": full_disk,
    "input's mount vanishes": vanish,
    "documents vanish from the work folder": vanished_work,
    "shard damaged, same size": lambda mill: corrupt(mill, zero),
    "shard cut short": lambda mill: corrupt(mill, lambda shard: os.truncate(shard, 100)),
    "Prefect's server restarted in mid-run": restart_server,
    "two runs on one work folder": two_runs,
    "clock skew": clock,
    "work folder cannot be made": no_rights,
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
