"""Descriptions of steps and sections, read from their code: purpose, source, and each setting with type and default."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from gristmill.filters.core.filter import Filter
from gristmill.filters.registry import VARIANTS
from gristmill.flows.clean.recipe import ENTRY_POINTS, STEPS, OutputSettings
from gristmill.flows.project.sections import ReportSettings
from gristmill.flows.tokenize.use_tokenizer import UsedTokenizer
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.plugins import entry_point, entry_point_names, find_plugin, load_plugin
from gristmill.pipelines.settings import OFF, Settings
from gristmill.pipelines.tokens.settings import ExportSettings, TokenSettings
from gristmill.tokenizers_lab.train import TokenizerSettings

END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any value"}
SECTIONS: dict[str, type[Settings]] = {
    **{"input": InputSettings, "output": OutputSettings, "tokens": TokenSettings},
    **{"export": ExportSettings, "report": ReportSettings},
}
SECTION_NAMES = "input", "output", "tokenizer", "tokens", "export", "pretrain", "report"
BOUNDS = {
    "ge": "≥ {}",
    "gt": "> {}",
    "le": "≤ {}",
    "lt": "< {}",
    "min_length": "at least {}",
    "max_length": "at most {}",
}


class Setting(NamedTuple):
    """Setting of a step or a section, as a recipe writes it."""

    name: str
    type: str
    default: str  # as in TOML; "required" without one
    about: str  # the comment beside it in the code


class Description(NamedTuple):
    """Purpose of a step or a section, where it comes from, and its settings."""

    name: str
    purpose: str
    source: str  # first sentence of its file, which names the paper
    variants: list[str]
    settings: list[Setting]


def step_names() -> dict[str, str]:
    """Return name -> purpose of each step that a recipe can name, those of installed packages included."""
    found = {name: purpose(kind) for name, kind in STEPS.items()}
    return found | {name: entry_point(name, ENTRY_POINTS) or "" for name in entry_point_names(ENTRY_POINTS)}


def section_kinds(name: str) -> list[type[Settings]]:
    """Return the settings that a section of a recipe may have; of a tokenizer, those to train or those to use one."""
    if name == "pretrain":
        from gristmill.flows.models.pretraining import PretrainSection  # torch takes seconds

        return [PretrainSection]
    tokenizers: list[type[Settings]] = [TokenizerSettings, UsedTokenizer]
    return {"tokenizer": tokenizers}.get(name) or [SECTIONS[name]]


def describe(name: str, folder: str | Path = "") -> Description:
    """Return the description of a step, of a section, or of a class of yours: ``my_filters.py:Shouty``.

    Raises RecipeError for an unknown name.
    """
    if name in SECTION_NAMES and name not in STEPS:
        kinds = section_kinds(name)
        return Description(name, purpose(kinds[0]), "", [], [each for kind in kinds for each in settings_of(kind)])
    kind: Any = STEPS.get(name)
    if kind is None and (use := name if ":" in name else entry_point(name, ENTRY_POINTS)):
        kind = load_plugin(find_plugin(use, folder, name))
    if not (isinstance(kind, type) and issubclass(kind, Settings)):
        raise RecipeError(f"no step {shown(name)}; {nearest(name, [*step_names(), *SECTION_NAMES])}")
    return Description(name, purpose(kind), source(kind), list(VARIANTS.get(name, {})), list(settings_of(kind)))


def purpose(kind: type) -> str:
    """Return the first sentence of a class's docstring."""
    return _sentence(inspect.getdoc(kind) or "")


def source(kind: type) -> str:
    """Return the first sentence of the file of a class: it names the paper of published rules."""
    module = inspect.getmodule(kind)
    return _sentence(inspect.getdoc(module) or "") if module else ""


def _sentence(text: str) -> str:
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return END_OF_SENTENCE.split(paragraph)[0].replace("``", "`").rstrip(".")


def settings_of(kind: type[Settings], table: str = "") -> Iterator[Setting]:
    """Yield the settings of a class and of the tables in it, in order; settings of all filters come last."""
    about, shared = comments(kind), Filter.model_fields
    for name, field in sorted(kind.model_fields.items(), key=lambda each: each[0] in shared):
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings):
            yield from settings_of(inner, f"{table}{name}.")
        else:
            default = "required" if field.is_required() else toml(field.get_default(call_default_factory=True))
            yield Setting(f"{table}{name}", _bounded(field), default, about.get(name, ""))


def comments(kind: type) -> dict[str, str]:
    """Return setting -> the comment beside or above it, in the code of a class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Settings) and base is not Settings:
            try:
                found |= _comments(textwrap.dedent(inspect.getsource(base)))
            except (OSError, TypeError, SyntaxError):  # made without a file
                continue
    return found


def _comments(text: str) -> dict[str, str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    (defined,) = ast.parse(text).body
    found = {}
    for node in defined.body if isinstance(defined, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            first = node.lineno
            while first - 1 in lines and not lines[first - 1].line[: lines[first - 1].start[1]].strip():
                first -= 1
            beside = [lines[k].string.lstrip("# ") for k in range(first, (node.end_lineno or first) + 1) if k in lines]
            if beside:
                found[node.target.id] = re.sub(r"\bNone\b", f'"{OFF}"', " ".join(beside))
    return found


def _bounded(field: FieldInfo) -> str:
    return _named(field.annotation, field.metadata)


def _named(kind: Any, metadata: Any = ()) -> str:
    """Return a type in a reader's words, with the bounds of its values."""
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        return _named(inner, [*more, *metadata])
    if isinstance(kind, FieldInfo):
        return _bounded(kind)
    if get_origin(kind) in (Union, UnionType):
        parts = [_named(part, metadata) for part in get_args(kind) if part is not NoneType]
        return " or ".join([*parts, toml(None)] if NoneType in get_args(kind) else parts)
    if get_origin(kind) is Literal:
        return " or ".join(toml(value) for value in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return f"list of {_named(get_args(kind)[0])}" + _bounds(metadata)
    if get_origin(kind) is dict:
        return f"table of {_named(get_args(kind)[1])}"
    return WORDS.get(kind, getattr(kind, "__name__", str(kind))) + _bounds(metadata)


def _bounds(metadata: Any) -> str:
    """Return the bounds among the constraints of pydantic, which may lie in a FieldInfo."""
    every = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
    found = {name: value for each in every for name in BOUNDS if (value := getattr(each, name, None)) is not None}
    if "ge" in found and "le" in found:
        return f" from {found['ge']:,} to {found['le']:,}"
    return f" {', '.join(BOUNDS[name].format(f'{value:,}') for name, value in found.items())}" if found else ""


def toml(value: Any) -> str:
    """Return a default as TOML."""
    if value is None:
        return f'"{OFF}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)
