"""Code of users: a class or a function in a file beside a recipe, in an installed package, or behind an entry point.

A recipe names it ``my_filters.py:Shouty`` (a path from the recipe's folder), ``pkg.mod:Shouty``, or by an entry point's
name. Loading runs the code, so only commands that are given a recipe load any: a work folder is data, and opening one
runs nothing (flows/clean/own_steps.py).

An instance of a loaded class pickles with the text of its file. Its process or machine needs no copy of the file.
"""

import copyreg
import hashlib
import linecache
import pickle
import sys
import traceback
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from gristmill.pipelines.arrow_alone import let_pandas_in
from gristmill.pipelines.errors import RecipeError, nearest, shown

MESSAGE = 200  # characters of an error to show


class Plugin(NamedTuple):
    """Class or function of a user."""

    use: str  # as a recipe names it; the path of a file is absolute
    place: str  # the file, or the dotted name of the module
    attribute: str
    sha256: str  # of the file
    source: str | None = (
        None  # text of a file beside a recipe, which goes to workers; a package must be installed there
    )


_MODULES: dict[tuple[str, str], ModuleType] = {}  # place and checksum -> module
_PLUGINS: dict[Any, Plugin] = {}  # loaded class or function -> its origin


def plugin_of(loaded: Any) -> Plugin | None:
    """Return the origin of a loaded class or function, None for one of Gristmill's own."""
    return _PLUGINS.get(loaded)


def plugin_code(loaded: Any) -> tuple[str, ...]:
    """Return what a fingerprint holds of the code: its checksum, or nothing for Gristmill's own."""
    plugin = plugin_of(loaded)
    return (plugin.sha256,) if plugin else ()


def register(loaded: Any, plugin: Plugin) -> None:
    """Remember the origin of a class or a function."""
    _PLUGINS[loaded] = plugin


def entry_point(name: str, groups: tuple[str, ...]) -> str | None:
    """Return the code behind an entry point of an installed package, ``pkg.mod:Shouty``; None without one."""
    return next((point.value for group in groups for point in entry_points(group=group, name=name)), None)


def entry_point_names(groups: tuple[str, ...]) -> list[str]:
    """Return the names of all entry points of the groups, sorted."""
    return sorted({point.name for group in groups for point in entry_points(group=group)})


def find_plugin(use: str, folder: str | Path, where: str) -> Plugin:
    """Return the code that ``use`` names, without running it; the path of a file begins in ``folder``.

    Raises RecipeError if there is no such file or module.
    """
    place, _, attribute = use.rpartition(":")
    if not place.endswith(".py"):
        return Plugin(use, place, attribute, hashlib.sha256(_module_bytes(place, where)).hexdigest())
    path = Path(folder, place).absolute()
    try:
        source = path.read_bytes()
        return Plugin(f"{path}:{attribute}", str(path), attribute, hashlib.sha256(source).hexdigest(), source.decode())
    except OSError as error:
        remedy = "a path begins in the folder of the recipe"
        raise RecipeError(f"{where}: cannot read {path}: {error.strerror}; {remedy}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{where}: {path} is not UTF-8, as the source of Python must be") from None


def _module_bytes(name: str, where: str) -> bytes:
    """Return the file of a module, which is not imported; its packages are."""
    try:
        spec = find_spec(name)
    except (ImportError, AttributeError, ValueError):
        spec = None
    if spec is None or not spec.origin or not Path(spec.origin).is_file():
        remedy = "to name a file, add its suffix: my_filters.py:Shouty"
        raise RecipeError(f"{where}: no module {shown(name)} is installed; {remedy}")
    return Path(spec.origin).read_bytes()


def load_plugin(plugin: Plugin) -> Any:
    """Run the code, once per process, and return the class or function. Raises RecipeError if it fails or lacks it."""
    key = plugin.place, plugin.sha256
    if key not in _MODULES:
        let_pandas_in()
        try:
            _MODULES[key] = import_module(plugin.place) if plugin.source is None else _run(plugin)
        except Exception as error:
            raise RecipeError(f"{plugin.use} cannot be loaded: {describe(error, plugin)}") from error
    module = _MODULES[key]
    loaded = getattr(module, plugin.attribute, None)
    if loaded is None:
        names = [name for name in vars(module) if not name.startswith("_")]
        raise RecipeError(f"{plugin.place} has no {shown(plugin.attribute)}; {nearest(plugin.attribute, names)}")
    if loaded not in _PLUGINS:
        register(loaded, plugin)
        if isinstance(loaded, type):
            copyreg.pickle(loaded, _reduce)
    return loaded


def _run(plugin: Plugin) -> ModuleType:
    """Return a module made from the text of a file; tracebacks show its lines even where the file is missing."""
    name, source = f"plugin_{Path(plugin.place).stem}_{plugin.sha256[:16]}", plugin.source or ""
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = plugin.place
    linecache.cache[plugin.place] = len(source), None, source.splitlines(keepends=True), plugin.place
    try:
        exec(compile(source, plugin.place, "exec"), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reduce(instance: Any) -> tuple:
    """Pickle an instance with its code; the inner pickle is read when the code is loaded."""
    return _restore, (_PLUGINS[type(instance)], pickle.dumps(instance.__reduce_ex__(pickle.HIGHEST_PROTOCOL)))


def _restore(plugin: Plugin, pickled: bytes) -> Any:
    if plugin.source is None and find_plugin(plugin.use, "", "this worker").sha256 != plugin.sha256:
        raise RecipeError(f"{plugin.use} is another version on this worker; install the same version everywhere")
    load_plugin(plugin)
    function, arguments, state, *_ = pickle.loads(pickled)
    instance = function(*arguments)
    instance.__setstate__(state)
    return instance


def describe(error: BaseException, plugin: Plugin | None) -> str:
    """Return an error of the code in one line, with the last line of its file that was running.

    >>> describe(ValueError("no digit"), Plugin("mine.py:read", "mine.py", "read", "", ""))
    'ValueError: no digit (mine.py)'
    """
    places = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 1))
    file = _file_of(plugin) if plugin else places[-1][0] if places else ""
    lines = [f", line {line}" for name, line in places if name == file]
    said = error.msg if isinstance(error, SyntaxError) else str(error)  # its text repeats the place
    message = " ".join(said.split())[:MESSAGE]
    return f"{type(error).__name__}: {message} ({Path(file).name}{lines[-1] if lines else ''})"


def _file_of(plugin: Plugin) -> str:
    module = sys.modules.get(plugin.place)
    return plugin.place if plugin.source is not None or module is None else str(module.__file__)
