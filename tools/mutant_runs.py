"""Pytest plugin of tools/mutate.py: collects a room's tests once, then forks a process for each run of some of them.

What it does is in the JSON file that the environment variable GRISTMILL_MUTANTS names:

- ``reach``: each test file runs in a process of its own, and what it reaches is written down: lines of Python that run,
  files whose kernels are loaded, whether it starts processes, CPU seconds.
- ``mutants``: for each mutant the forked process changes the code of the function in memory and runs the test files
  that reach it, the nearest first. The changed file lies on disk meanwhile, for the processes that tests start.
- ``run``: a new pytest, for mutations of code that runs on import: constants, fields, default arguments.

Which test files reach a mutation says tools/mutant_reach.py. Hypothesis stops at the first failing example.
"""

import gc
import json
import os
import resource
import select
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import coverage
import pytest
from hypothesis import Phase, settings

from tools.mutant_reach import KERNEL, TREE, Choice, Loaded, Reach, names, place_of
from tools.mutations import Mutation
from tools.tree import ROOMS

PLAN = "GRISTMILL_MUTANTS"
WALL = 1800  # seconds, for a mutant that waits forever
plan: dict[str, Any] = json.loads(Path(os.environ[PLAN]).read_text("utf-8")) if PLAN in os.environ else {}


def measured() -> coverage.Coverage:
    """Begin to measure which lines of the rooms run."""
    begun = coverage.Coverage(data_file=None, config_file=False, include=[f"{TREE / room}/*" for room in ROOMS])
    begun.set_option("run:disable_warnings", ["no-data-collected"])
    begun.start()
    return begun


if plan.get("kind") == "reach":
    importing = measured()


def pytest_collection() -> None:
    """Keep Hypothesis from shrinking, once conftest.py has chosen its profile."""
    settings.register_profile("mutants", settings(), phases=(Phase.explicit, Phase.generate), database=None)
    settings.load_profile("mutants")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the plan; without one, or if tests cannot be collected, pytest goes on as it does."""
    if not plan or session.testsfailed:
        return None
    tests = defaultdict(list)
    for item in session.items:
        tests[item.path.relative_to(TREE).as_posix()].append(item)
    if plan["kind"] == "run":
        run(session, tests, plan["limits"])
        return True
    with open(plan["output"], "a") as output:
        for record in (reaches if plan["kind"] == "reach" else outcomes)(session, tests):
            print(json.dumps(record), file=output, flush=True)
    return True


def run(session: pytest.Session, tests: dict[str, list[pytest.Item]], limits: dict[str, float]) -> int:
    """Run test files, each within its limit of CPU seconds, until a test fails; return an exit status."""
    for test, seconds in limits.items():
        soft = int(sum(os.times()[:2]) + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        for item, following in zip(tests[test], [*tests[test][1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
    return 0


def forked(work: Callable[[], int]) -> tuple[str, float]:
    """Call ``work`` in a process of its own; return "survived", "killed" or "timeout", and the CPU seconds."""
    if not (process := os.fork()):
        status = 1
        try:
            os.setpgrp()  # and not a session, which Linux would schedule as one of its own
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2  # a mutant may allocate without end
            resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
            status = work()
        finally:
            os._exit(status)
    try:
        ended, _, _ = select.select([watched := os.pidfd_open(process)], [], [], WALL)
        os.close(watched)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # and what it has started
    _, status, usage = os.wait4(process, 0)
    late = not ended or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU)
    return "timeout" if late else "killed" if status else "survived", usage.ru_utime + usage.ru_stime


def lines_of(measured: coverage.Coverage) -> dict[str, list[int]]:
    """Return the lines that ran, by file."""
    measured.stop()
    data = measured.get_data()
    found = {Path(file).relative_to(TREE).as_posix(): data.lines(file) for file in data.measured_files()}
    return {file: sorted(lines) for file, lines in found.items() if lines}


def reaches(session: pytest.Session, tests: dict[str, list[pytest.Item]]) -> Iterator[dict]:
    """Yield what each test file reaches, after what importing all of them does."""
    kernels = (each for each in gc.get_objects() if type(each).__name__ == KERNEL and each.signatures)
    compiled = {each.py_func.__code__.co_filename for each in kernels}
    if "" in plan["tests"]:
        yield {"test": "", "lines": lines_of(importing), "kernels": [*names(compiled)]}
    for test, items in tests.items():
        written = Path(f"{os.environ[PLAN]}.one")
        if test in plan["tests"]:
            status, seconds = forked(partial(reach, session, {test: items}, written))
            if status != "survived":
                pytest.exit(f"{test} fails without any mutation", 1)
            found = json.loads(written.read_text())
            yield {"test": test, "digest": plan["digests"][test], "seconds": seconds, **found}


def reach(session: pytest.Session, tests: dict[str, list[pytest.Item]], written: Path) -> int:
    """Run tests and write what they reach."""
    kernels: set[str] = set()
    starts: list[str] = []
    if cache := sys.modules.get("gristmill.pipelines.kernels.cache"):
        path = cache.KernelCache.path

        def noted_path(self, sig):
            kernels.add(self.function.__code__.co_filename)
            return path(self, sig)

        cache.KernelCache.path = noted_path
    sys.addaudithook(lambda event, arguments: starts.append(event) if starts_python(event, arguments) else None)
    here = measured()
    status = run(session, tests, dict.fromkeys(tests, 3600))
    if status:
        session.config.pluginmanager.getplugin("terminalreporter").summary_failures()
    written.write_text(json.dumps({"lines": lines_of(here), "kernels": [*names(kernels)], "starts": bool(starts)}))
    return status


def starts_python(event: str, arguments: tuple) -> bool:
    """Say whether an audit event starts a process that may run our code."""
    return event == "os.fork" or (event in ("subprocess.Popen", "os.posix_spawn") and "python" in str(arguments[:2]))


def outcomes(session: pytest.Session, tests: dict[str, list[pytest.Item]]) -> Iterator[dict]:
    """Yield each mutant of the plan with its status and CPU seconds."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # after what the mutant has started
    reach = Reach([json.loads(line) for line in Path(plan["reach"]).read_text().splitlines()])
    loaded = Loaded()
    gc.freeze()
    for file, change in plan["mutants"]:
        source, mutation = (TREE / file).read_text("utf-8"), Mutation(tuple(change[0]), tuple(change[1]), *change[2:])
        place, changed = place_of(source, mutation), mutation.apply(source)
        choice = reach.choose(file, place, loaded.holders(file, place), plan["grace"])
        codes = list(loaded.codes(file, place, changed))
        if file in loaded.modules and (choice.imports or not codes):
            work = partial(run_anew, choice.limits)
        else:
            work = partial(run_changed, session, tests, choice, codes, loaded)
        with lying_there(TREE / file, changed):
            status, seconds = forked(work) if choice.limits else ("survived", 0)
        yield {"file": file, "change": change, "result": (status, seconds), "tests": len(choice.limits)}


@contextmanager
def lying_there(path: Path, text: str) -> Iterator[None]:
    """Replace a file for a while; other trees may hold links to it."""
    kept = path.replace(f"{TREE}.kept")
    path.write_text(text, "utf-8")
    try:
        yield
    finally:
        kept.replace(path)


def run_anew(limits: dict[str, float]) -> NoReturn:
    """Replace this process by a pytest that runs some test files."""
    path = Path(f"{TREE}.run")
    path.write_text(json.dumps({"kind": "run", "limits": limits}))
    os.environ[PLAN] = str(path)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *plan["arguments"], *limits])


def run_changed(session, tests, choice: Choice, codes: list, loaded: Loaded) -> int:
    """Change functions in this process and run the tests that are chosen; return an exit status."""
    for function, code in codes:
        function.__code__ = code
    if not choice.compiles:
        loaded.keep_kernels()
    return run(session, tests, choice.limits)
