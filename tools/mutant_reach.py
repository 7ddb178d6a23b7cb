"""Test files that reach a mutation, and the functions and kernels that it changes; for tools/mutant_runs.py.

A test file that never runs a function cannot kill its mutants. Kernels leave no lines: a test file reaches kernels that
the kernels of a file call, if it loads kernels of that file. What runs on import (constants, fields, default arguments)
it reaches if it runs lines of a file that imports it. A test file that starts processes reaches everything.
"""

import ast
import gc
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from tools.mutations import Mutation

TREE = Path.cwd()
COMPILED = re.compile("kernel|intrinsic|njit")  # in a decorator
KERNEL = "CPUDispatcher"  # the class of numba's compiled functions


def names(files: set[str]) -> set[str]:
    """Return paths below the tree, of the files there; ``gristmill/dedup`` is a link to ``dedup``."""
    paths = (Path(file).resolve() for file in files)
    return {path.relative_to(TREE).as_posix() for path in paths if path.is_relative_to(TREE) and path.is_file()}


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

    def choose(self, file: str, place: Place | None, holders: set[str], grace: tuple[float, float]) -> Choice:
        """Return the test files to run for a mutation, whose function's machine code is in kernels of some files."""
        body = place.body if place else ()
        runs = {test for test, each in self.tests.items() if not set(body).isdisjoint(each["lines"].get(file, ()))}
        compiles = place is None or place.compiled or place.nests or not runs
        imports = place is None or not set(body).isdisjoint(self.importing["lines"].get(file, ()))
        imports |= compiles and self.imports(self.importing["kernels"], file)
        ranks = {}
        for test, each in self.tests.items():
            near = file in each["lines"] if imports else test in runs or (compiles and file in each["kernels"])
            if imports:
                far = self.imports([test, *each["lines"]], file)
            else:
                far = not holders.isdisjoint(each["kernels"]) if holders else self.imports(each["kernels"], file)
            if near or each["starts"] or (far and compiles):
                ranks[test] = not near, each["starts"], each["seconds"]
        extra = grace[0] + grace[1] * compiles
        limits = {test: extra + 3 * self.tests[test]["seconds"] for test in sorted(ranks, key=ranks.__getitem__)}
        return Choice(limits, imports, compiles)


class Loaded:
    """Functions that are loaded, and the kernel cache's digests of their files as they are before any mutation."""

    def __init__(self):
        self.modules = names({getattr(each, "__file__", None) or "" for each in list(sys.modules.values())})
        self.functions = defaultdict(list)
        files: dict[str, str] = {}  # path as the code has it -> path below the tree
        for each in gc.get_objects():
            if type(each) is FunctionType:  # isinstance asks objects of torch, which warn
                code = each.__code__
                if code.co_filename not in files:
                    files[code.co_filename] = next(iter(names({code.co_filename})), "")
                self.functions[files[code.co_filename], code.co_firstlineno, code.co_qualname].append(each)
        self.cache: Any = sys.modules.get("gristmill.pipelines.kernels.cache")
        self.states: dict[str, str] = {}
        self.callers: dict[tuple[str, str], set] = defaultdict(set)  # of kernels, by (file, name)
        for kernel in kernels():
            self.callers[key(kernel)] |= set()
            for called in called_by(kernel):
                self.callers[key(called)].add(key(kernel))
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

    def holders(self, file: str, place: Place | None) -> set[str]:
        """Return the files of kernels that hold the machine code of a function; none if it is no kernel."""
        found: set[tuple[str, str]] = set()
        new = {(file, place.name)} & self.callers.keys() if place else set()
        while new:
            found |= new
            new = set().union(*(self.callers[each] for each in new)) - found
        return {file for file, _ in found}

    def keep_kernels(self) -> None:
        """Use the kernels as they are: what changes is no part of any."""
        if self.cache:
            state = self.cache.state
            self.cache.state = lambda path: self.states.get(path) or state(path)


def kernels() -> list[FunctionType]:
    """Return the functions of all kernels that are loaded."""
    return [each.py_func for each in gc.get_objects() if type(each).__name__ == KERNEL]


def key(function: FunctionType) -> tuple[str, str]:
    """Return the file of a function, below the tree, and its qualified name."""
    return next(iter(names({function.__code__.co_filename})), ""), function.__qualname__


def called_by(kernel: FunctionType) -> Iterator[FunctionType]:
    """Yield the kernels that a kernel calls: globals, attributes of modules, and closed-over values."""
    used = {name for code in codes_in(kernel.__code__) for name in code.co_names}
    scopes = [kernel.__globals__]
    scopes += [vars(each) for name in used if isinstance(each := kernel.__globals__.get(name), ModuleType)]
    values = [scope[name] for scope in scopes for name in used if name in scope]
    values += [cell.cell_contents for cell in kernel.__closure__ or ()]
    yield from (each.py_func for each in values if type(each).__name__ == KERNEL)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those inside."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes_in(each)
