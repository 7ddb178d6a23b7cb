"""Base class of settings: frozen, typed and checked; a recipe mirrors them one to one.

An unknown key, a wrong type or an impossible value is a RecipeError that names the file, the key, the value found
and the nearest valid name.
"""

import difflib
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gristmill.pipelines.errors import RecipeError

OFF = "off"


class Settings(BaseModel):
    """Base of all settings: immutable, without unknown keys.

    TOML has no null, so a recipe writes ``"off"`` for a setting that may be None (a rule without a threshold).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _off_is_none(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        may_be_none = {key for key, field in cls.model_fields.items() if NoneType in get_args(field.annotation)}
        return {key: None if value == OFF and key in may_be_none else value for key, value in values.items()}


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], values: Any, where: str) -> S:
    """Build settings from a table of a recipe; ``where`` names the file and table in error messages."""
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: expected a table of settings, found {shown(values)}")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_complaint(kind, error.errors()[0])}") from None


def shown(value: Any) -> str:
    """Return a value for an error message, cut to 200 characters."""
    text = repr(value)
    return f"{text[:200]}…" if len(text) > 200 else text


def nearest(name: str, known: list[str]) -> str:
    """Return a hint for an unknown name: ``did you mean 'min_words'?``, or the list of known names."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"


def _complaint(kind: type[Settings], error: ErrorDetails) -> str:
    *outer, key = map(str, error["loc"]) if error["loc"] else ("",)
    path = ".".join([*outer, key])
    if error["type"] == "extra_forbidden":
        return f"no setting {shown(path)}; {nearest(key, sorted(_fields(kind, outer)))}"
    found = "" if error["type"] == "missing" else f", found {shown(error['input'])}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{path}: {message}{found}" if path else message


def _fields(kind: type[Settings], outer: list[str]) -> list[str]:
    for key in outer:
        field = kind.model_fields.get(key)
        inner: Any = field.annotation if field else None
        kind = inner if getattr(inner, "model_fields", None) else kind
    return list(kind.model_fields)
