"""Pytest plugin of tools/mutate.py: collects a room's tests once, then forks a process for each run of some of them.

What it does is in the JSON file that the environment variable GRISTMILL_MUTANTS names:

- ``reach``: each test file runs in a process of its own, and what it reaches is written down: lines of Python that run,
  files whose kernels are loaded, whether it starts processes, CPU seconds.
- ``mutants``: for each mutant the forked process changes the code of the function in memory and runs the test files
  that reach it, the nearest first. The changed file lies on disk meanwhile, for the processes that tests start.
- ``run``: a new pytest, for mutations of code that runs on import: constants, fields, default arguments.

A test file that never runs a function cannot kill its mutants, so it is left out. Kernels leave no lines: a test file
reaches those of all files that the file of a kernel imports. One that starts processes reaches everything. Hypothesis
stops at the first failing example.
"""

import ast
import gc
import json
import os
import re
import resource
import select
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple, NoReturn

import coverage
import pytest
from hypothesis import Phase, settings

from tools.mutations import Mutation
from tools.tree import ROOMS

PLAN = "GRISTMILL_MUTANTS"
TREE = Path.cwd()
COMPILED = re.compile("kernel|intrinsic|njit")  # in a decorator
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
            os.setsid()
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


def names(files: set[str]) -> set[str]:
    """Return paths below the tree, of the files there; ``gristmill/dedup`` is a link to ``dedup``."""
    paths = (Path(file).resolve() for file in files)
    return {path.relative_to(TREE).as_posix() for path in paths if path.is_relative_to(TREE) and path.is_file()}


def reaches(session: pytest.Session, tests: dict[str, list[pytest.Item]]) -> Iterator[dict]:
    """Yield what each test file reaches, after what importing all of them does."""
    kernels = (each for each in gc.get_objects() if type(each).__name__ == "CPUDispatcher" and each.signatures)
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


class Place(NamedTuple):
    """The outermost function around a mutation."""

    line: int  # the first, of a decorator if there is one
    name: str  # qualified
    body: range  # lines
    compiled: bool
    nests: bool  # functions, which may be kernels


def place_of(source: str, mutation: Mutation) -> Place | None:
    """Return the outermost function whose body holds a mutation; None if it is code that runs on import."""
    around: list[tuple[ast.AST, str]] = [(node, "") for node in ast.parse(source).body]
    for node, prefix in around:
        match node:
            case ast.ClassDef(name=name, body=body):
                around += [(each, f"{prefix}{name}.") for each in body]
            case ast.If() | ast.Try() | ast.With():
                around += [(each, prefix) for each in ast.iter_child_nodes(node)]
            case ast.FunctionDef(name=name, body=[first, *_], end_lineno=int(last), decorator_list=decorators):
                if (first.lineno, first.col_offset) <= mutation.start <= (last, sys.maxsize):
                    line = min([node.lineno, *(each.lineno for each in decorators)])
                    compiled = any(COMPILED.search(ast.unparse(each)) for each in decorators)
                    nests = sum(isinstance(each, ast.FunctionDef) for each in ast.walk(node)) > 1
                    return Place(line, prefix + name, range(first.lineno, last + 1), compiled, nests)
    return None


class Choice(NamedTuple):
    """Test files that reach a mutation, nearest first, with their limits of CPU seconds, and what the mutant needs."""

    limits: dict[str, float]
    imports: bool  # the file anew
    compiles: bool


class Reach:
    """Records of what each test file reaches."""

    def __init__(self, records: list[dict]):
        from gristmill.pipelines import sources  # of this tree

        top_level, sources.IMPORTS = sources.IMPORTS, re.compile(rf"^ *{sources.IMPORTS.pattern[1:]}", re.MULTILINE)
        (self.importing,) = (each for each in records if not each["test"])
        self.tests = {each["test"]: each for each in records if each["test"]}
        files = {file for each in records for file in (each["test"], *each["lines"], *each["kernels"]) if file}
        self.imported = {file: names(set(map(str, sources.sources(TREE / file)))) for file in files}
        sources.IMPORTS = top_level
        sources.imported.cache_clear()

    def imports(self, files: list[str], file: str) -> bool:
        """Say whether one of several files imports a file, directly or indirectly, or is it."""
        return any(file in self.imported[each] for each in files)

    def choose(self, file: str, place: Place | None) -> Choice:
        """Return the test files to run for a mutation of a file."""
        body = place.body if place else ()
        runs = {test for test, each in self.tests.items() if not set(body).isdisjoint(each["lines"].get(file, ()))}
        compiles = place is None or place.compiled or place.nests or not runs
        imports = place is None or not set(body).isdisjoint(self.importing["lines"].get(file, ()))
        imports |= compiles and self.imports(self.importing["kernels"], file)
        ranks = {}
        for test, each in self.tests.items():
            near = file in each["lines"] if imports else test in runs or (compiles and file in each["kernels"])
            far = self.imports([test, *each["lines"]], file) if imports else self.imports(each["kernels"], file)
            if near or each["starts"] or (far and compiles):
                ranks[test] = not near, each["starts"], each["seconds"]
        extra = plan["grace"][0] + plan["grace"][1] * compiles
        limits = {test: extra + 3 * self.tests[test]["seconds"] for test in sorted(ranks, key=ranks.__getitem__)}
        return Choice(limits, imports, compiles)


def outcomes(session: pytest.Session, tests: dict[str, list[pytest.Item]]) -> Iterator[dict]:
    """Yield each mutant of the plan with its status and CPU seconds."""
    reach = Reach([json.loads(line) for line in Path(plan["reach"]).read_text().splitlines()])
    loaded = Loaded()
    gc.freeze()
    for file, change in plan["mutants"]:
        source, mutation = (TREE / file).read_text("utf-8"), Mutation(tuple(change[0]), tuple(change[1]), *change[2:])
        place, changed = place_of(source, mutation), mutation.apply(source)
        choice = reach.choose(file, place)
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


def run_changed(session, tests, choice: Choice, codes: list, loaded: "Loaded") -> int:
    """Change functions in this process and run the tests that are chosen; return an exit status."""
    for function, code in codes:
        function.__code__ = code
    if not choice.compiles:
        loaded.keep_kernels()
    return run(session, tests, choice.limits)


class Loaded:
    """Functions that are loaded, and the kernel cache's digests of their files as they are before any mutation."""

    def __init__(self):
        self.modules = names({getattr(each, "__file__", None) or "" for each in list(sys.modules.values())})
        self.functions = defaultdict(list)
        files: dict[str, str] = {}  # path as the code has it -> path below the tree
        for each in gc.get_objects():
            if isinstance(each, FunctionType):
                code = each.__code__
                if code.co_filename not in files:
                    files[code.co_filename] = next(iter(names({code.co_filename})), "")
                self.functions[files[code.co_filename], code.co_firstlineno, code.co_qualname].append(each)
        self.cache: Any = sys.modules.get("gristmill.pipelines.kernels.cache")
        self.states: dict[str, str] = {}
        if self.cache:
            self.states = {path: self.cache.state(path) for path, file in files.items() if file}
            self.cache.state.cache_clear()  # so that a changed file compiles the kernels that it is part of
            sys.modules["gristmill.pipelines.sources"]._digest.cache_clear()

    def codes(self, file: str, place: Place | None, changed: str) -> Iterator[tuple[FunctionType, CodeType]]:
        """Yield the functions to change, each with its new code."""
        for function in self.functions[file, *place[:2]] if place else ():
            for code in codes_in(compile(changed, function.__code__.co_filename, "exec", dont_inherit=True)):
                if place and (code.co_firstlineno, code.co_qualname) == place[:2]:
                    yield function, code

    def keep_kernels(self) -> None:
        """Use the kernels as they are: what changes is no part of any."""
        if self.cache:
            state = self.cache.state
            self.cache.state = lambda path: self.states.get(path) or state(path)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those inside."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes_in(each)
