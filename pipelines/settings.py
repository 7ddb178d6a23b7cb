"""Base class of settings: frozen, typed and checked; a recipe mirrors them one to one.

An unknown key, a wrong type or an impossible value is a RecipeError that names the file, the key, the value found
and the nearest valid name.
"""

import re
from collections.abc import Iterable
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from gristmill.pipelines.errors import RecipeError, nearest, shown

OFF = "off"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a folder, on every file system; a TOML key without quotes


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


def given_name(kind: type) -> str:
    """Return the NAME of a class, or of the nearest base that gives one other than its own; else the class's own."""
    given = (vars(base).get("NAME", base.__name__) for base in kind.__mro__)
    return next((name for name, base in zip(given, kind.__mro__, strict=True) if name != base.__name__), kind.__name__)


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], values: Any, where: str) -> S:
    """Build settings from a table of a recipe; ``where`` names the file and table in error messages."""
    if not isinstance(values, dict):
        raise RecipeError(f"{where}: expected a table of settings, found {shown(values)}")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{where}: {_complaint(kind, error.errors()[0])}") from None


def check_names(names: Iterable[str], where: str) -> None:
    """Raise RecipeError for a name that cannot be a folder's, and for two that are one folder where case is ignored."""
    seen: dict[str, str] = {}
    for name in names:
        if not NAME.fullmatch(name):
            raise RecipeError(
                f"{where}: a name is 1 to 64 of the letters A-Z and a-z, digits, '_' and '-', found {shown(name)}"
            )
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise RecipeError(f"{where}: the names {other!r} and {name!r} differ only in case; choose another for one")


def _complaint(kind: type[Settings], error: ErrorDetails) -> str:
    *outer, key = map(str, error["loc"]) if error["loc"] else ("",)
    path = ".".join([*outer, key])
    if error["type"] == "extra_forbidden":
        return f"no setting {shown(path)}; {nearest(key, sorted(_fields(kind, outer)))}"
    found = "" if error["type"] == "missing" else f", found {shown(error['input'])}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "list_type" and isinstance(error["input"], str):
        items = ", ".join(f'"{item.strip()}"' for item in error["input"].split(","))
        message = f"expected a list, such as [{items}]"
    return f"{path}: {message}{found}" if path else message


def _fields(kind: type[Settings], outer: list[str]) -> list[str]:
    for key in outer:
        field = kind.model_fields.get(key)
        inner: Any = field.annotation if field else None
        kind = inner if getattr(inner, "model_fields", None) else kind
    return list(kind.model_fields)
