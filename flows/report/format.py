"""Format of numbers and text in the report and the card, and their templates."""

from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from gristmill.flows.escape import LINE, visible
from gristmill.flows.report.svg import number

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN = str.maketrans({sign: "\\" + sign for sign in "\\`*[]|#~"} | {"&": "&amp;", "<": "&lt;"})
UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def environment(autoescape: bool) -> Environment:
    """Return the templates with the filters below."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    filters: dict[str, Any] = {
        "n": lambda value: f"{value:,}".replace("-", "−"),
        "mb": format_bytes,
        "pct": percent,
        "value": number,
        "cell": cell,
        "json": indented,
        "parts": parts,
    }
    made.filters |= filters
    return made


def format_bytes(size: int) -> str:
    """Format a size in bytes.

    >>> format_bytes(98934903), format_bytes(1234), format_bytes(12)
    ('98.9 MB', '1.2 kB', '12 bytes')
    """
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size:,} bytes"


def percent(part: float, whole: float = 1) -> str:
    """Format a share as a percentage; only zero is "0%".

    >>> percent(774, 1000), percent(1, 100000), percent(0, 0)
    ('77.4%', '<0.1%', '0%')
    """
    share = part / whole if whole else 0
    if not share:
        return "0%"
    return "<0.1%" if share < 0.0005 else f"{share:.1%}"


def cell(text: Any) -> str:
    """Escape text for a cell of a Markdown table.

    >>> cell("a|b <i>")
    'a\\\\|b &lt;i>'
    """
    return str(text).translate(LINE).translate(MARKDOWN)


def parts(name: str) -> Markup:
    """Return a name as HTML that may break after its underscores.

    >>> parts("words_too_low")
    Markup('words_<wbr>too_<wbr>low')
    """
    return escape(visible(name)).replace("_", Markup("_<wbr>"))


def indented(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
