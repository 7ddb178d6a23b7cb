"""gristmill inspect"""

from typing import Any

import click
from rich.table import Table
from rich.text import Text

from gristmill.flows.cli.options import whole
from gristmill.flows.cli.output import say, say_json, say_table
from gristmill.flows.escape import LINE, json_bytes
from gristmill.pipelines.inputs.inputs import clean_folder
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.files import to_path

WIDTH = 40  # characters of a full bar
CUT = 400  # characters of a value in a sample


@click.command()
@click.argument("path")
@click.option("--columns", metavar="A,B", default="", help="Show only these columns.")
@click.option("--where", "expression", metavar="SQL", help="Show only rows that meet this condition.")
@click.option(
    "--histogram",
    "column",
    metavar="COLUMN",
    help="Draw a histogram of a column or field (violations.rule).",
)
@click.option("--rows", "count", type=whole(0), metavar="N", help="Show a fixed sample of N rows.")
@click.option("--id", "id", metavar="ID", help="Show all of one document.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, with complete values.")
def inspect(path, columns, expression, column, count, id, as_json):
    """Inspect PATH: a Parquet shard, a folder of shards, JSON lines, or clean/ of a work folder.

    Shows sizes, columns with their numbers of nulls, and the lengths of texts. Control characters are escaped.
    --where shows 3 rows unless --rows is given.

    \b
        gristmill inspect work/clean
        gristmill inspect work/removed --histogram reason
        gristmill inspect work/clean --where "len(text) < 200 and source = 'crawl'" --rows 5
    """
    from gristmill.pipelines.storage import inspect as look
    from gristmill.pipelines.storage.histogram import histogram

    table = look.open_table(to_path(clean_folder(path)))
    names = look.only(table, [name for name in columns.split(",") if name])
    table = look.where(table, expression) if expression is not None else table
    if id is not None:
        found: dict[str, Any] = {"document": look.document(table, id, names)}
    else:
        found = look.overview(table, names) | {"where": expression}
        if column is not None:
            found["histogram"] = histogram(table, column)
        count = count if count is not None else 3 * (expression is not None)
        found["samples"] = look.sample(table, count, names) if count else []
    if as_json:
        return say_json(found, indent=True)
    if id is not None:
        return show_document(found["document"])
    say_table(sizes(found))
    say_table(column_table(found["columns"]))
    if column is not None:
        say_table(bars(found["histogram"]))
    for row in found["samples"]:
        say()
        for name, value in row.items():
            say_value(name, value, CUT)


def show_document(row: dict) -> None:
    """Print every column on a line, then the whole text."""
    text = row.pop(TEXT, None)
    for name, value in row.items():
        say_value(name, value)
    if text is not None:
        say()
        say(text, lines=True)


def say_value(name: str, value, cut: int | None = None) -> None:
    """Print the name and the value of a column on one line."""
    say(name, nl=False, dim=True)
    say(f"  {_line(value, cut)}")


def sizes(found: dict) -> Text:
    """Return the sizes of the files, in two or three lines."""
    groups, lengths = found["row_groups"], found["text_characters"]
    lines = [f"{found['rows']:,} rows{' where ' + found['where'] if found['where'] else ''}"]
    lines[0] += f" in {found['files']} files of {_megabytes(found['file_bytes'])}"
    if found["text_bytes"] is not None:
        lines[0] += f", {_megabytes(found['text_bytes'])} of text"
    if groups["count"]:
        rows, size = (
            "–".join(dict.fromkeys(pair))
            for pair in ([f"{n:,}" for n in groups["rows"]], [_megabytes(n) for n in groups["bytes"]])
        )
        lines.append(f"{groups['count']} row groups of {rows} rows, {size}")
    if found["rows"] and lengths:
        lines.append("characters per text  " + "  ".join(f"{name} {n:,.0f}" for name, n in lengths.items()))
    return Text(_line(found["path"]), "bold").append("\n" + "\n".join(map(_line, lines)), "not bold")


def column_table(columns: list[dict]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("column")
    table.add_column("type", overflow="fold")
    table.add_column("nulls", justify="right")
    for column in columns:
        table.add_row(Text(_line(column["name"])), Text(_line(column["type"]), "dim"), f"{column['nulls']:,}")
    return table


def bars(histogram: dict) -> Table:
    """Return a bar per value or range, drawn in eighths of a character."""
    table = Table(box=None, pad_edge=False, show_header=False, title=Text(_title(histogram)), title_justify="left")
    for justify in ("right", "left", "right"):
        table.add_column(justify=justify)
    most = max((bar["rows"] for bar in histogram["bars"]), default=0)
    for bar in histogram["bars"]:
        label = _line(bar["value"], 60) if "value" in bar else f"{_number(bar['from'])} – {_number(bar['to'])}"
        table.add_row(Text(label), Text(_bar(bar["rows"] / most), "cyan"), f"{bar['rows']:,}")
    for name in ("others", "missing"):
        if histogram[name]:
            table.add_row(Text(name, "dim"), "", f"{histogram[name]:,}")
    return table


def _title(histogram: dict) -> str:
    unit = {"value": "", "characters": " in characters", "items": ", items of each list"}[histogram["of"]]
    return f"\n{_line(histogram['column'])}{unit}"


def _bar(part: float) -> str:
    eighths = round(8 * WIDTH * part)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count:,} bytes"


def _line(value, cut: int | None = None) -> str:
    """Return any value on one line, control characters escaped, shortened to ``cut`` characters."""
    text = value if isinstance(value, str) else json_bytes(value).decode()
    line = text[:cut].translate(LINE)
    return f"{line}… ({len(text):,} characters)" if cut and len(text) > cut else line
