"""The funnel of a run: documents read, removed by each rule, and clean; and their bytes."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

BLOCKS = 24


def funnel(summary: dict) -> Table:
    """Return ``summary.json`` as a table for the terminal."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "documents", "", "MB", "violations"):
        justify: Any = "right" if name in ("documents", "MB", "violations") else "left"
        table.add_column(name, justify=justify, no_wrap=name == "")
    total, megabytes = summary["documents_in"], summary["bytes_in"] / 1e6
    table.add_row("in", f"{total:,}", "█" * BLOCKS, f"{megabytes:,.1f}", style="bold")
    left = total - summary["rejects"]
    if summary["rejects"]:
        table.add_row("rejects (unreadable)", f"−{summary['rejects']:,}", _bar(left, total), "")
    for name, step in summary["steps"].items():
        left -= step["removed"]
        megabytes -= step["bytes_removed"] / 1e6
        rewritten = f"{step['bytes_rewritten'] / 1e6:,.1f} MB of text rewritten" if step.get("spans_rewritten") else ""
        table.add_row(name, f"−{step['removed']:,}", _bar(left, total), f"{megabytes:,.1f}", rewritten, style="bold")
        for rule, counts in step["rules"].items():
            if counts["removed"]:
                table.add_row(f"  {rule}", f"−{counts['removed']:,}", "", "", f"{counts['violations']:,}", style="dim")
    clean = summary["clean"]
    table.add_row("clean", f"{clean:,}", _bar(clean, total), f"{summary['bytes_clean'] / 1e6:,.1f}", style="bold green")
    return table


def funnel_rows(summary: dict) -> Iterator[tuple[str, int, str]]:
    """Yield name, documents and MB of each row: what came in, rejects, steps, their indented rules, clean documents."""
    yield "in", summary["documents_in"], f"{summary['bytes_in'] / 1e6:,.1f}"
    if summary["rejects"]:
        yield "rejects", -summary["rejects"], ""
    for name, step in summary["steps"].items():
        yield name, -step["removed"], f"{-step['bytes_removed'] / 1e6:,.1f}"
        for rule, counts in step["rules"].items():
            if counts["removed"]:
                yield f"  {rule}", -counts["removed"], ""
    yield "clean", summary["clean"], f"{summary['bytes_clean'] / 1e6:,.1f}"


def funnel_text(summary: dict) -> str:
    """Return the funnel as lines of 47 columns, for logs.

    >>> made = {"documents_in": 3, "bytes_in": 2e6, "rejects": 1, "steps": {}, "clean": 2, "bytes_clean": 1e6}
    >>> print(funnel_text(made))
    in                                   3      2.0
    rejects                             -1
    clean                                2      1.0
    """
    return "\n".join(f"{name:<28}{count:>10,}{size:>9}".rstrip() for name, count, size in funnel_rows(summary))


def _bar(part: int, whole: int) -> str:
    eighths = round(8 * BLOCKS * part / whole) if whole else 0
    return "█" * (eighths // 8) + (" ▏▎▍▌▋▊▉"[eighths % 8] if eighths % 8 else "")
