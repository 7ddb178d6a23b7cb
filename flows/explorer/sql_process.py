"""Child process of sql.py: one SQL query over the tables of a run, within limits of memory, CPU and output.

It imports Polars and nothing of Gristmill, so that it starts at once. It reads JSON from standard input: ``sql``,
``tables`` (name -> serialized lazy frame in base64), ``rows``, ``columns``, ``characters``, ``memory`` and ``seconds``.
It writes JSON: ``columns``, ``rows`` and ``more``, or ``error``.
"""

import base64
import io
import json
import resource
import sys


def limit(memory: int, seconds: int) -> None:
    """Limit this process for good: bytes of memory of its own, seconds of CPU, no files written, no core dump.

    Linux counts anonymous memory (RLIMIT_DATA), not the mapped shards. A process that asks for more is aborted.
    """
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def answer(asked: dict) -> dict:
    """Return the first rows of the result, each value a number, null, or the beginning of its text."""
    import polars as pl

    tables = {
        name: pl.LazyFrame.deserialize(io.BytesIO(base64.b64decode(plan))) for name, plan in asked["tables"].items()
    }
    try:
        result = pl.SQLContext(tables, register_globals=False, eager=False).execute(asked["sql"])
        schema = result.collect_schema()
        if len(schema) > asked["columns"]:
            return {"error": f"the result has {len(schema):,} columns; expected at most {asked['columns']}"}
        columns = [
            column.str.slice(0, asked["characters"]) if schema[name] == pl.String else column
            for name, column in ((name, pl.nth(i)) for i, name in enumerate(schema))
        ]
        found = result.head(asked["rows"] + 1).select(columns).collect(engine="streaming")
    except MemoryError:
        raise
    except Exception as error:
        return {"error": str(error).split("\n", 1)[0][:300]}
    values = [
        [_plain(value, asked["characters"]) for value in column.to_list()] for column in found.head(asked["rows"])
    ]
    rows = [[*row] for row in zip(*values, strict=True)]
    return {"columns": found.columns, "rows": rows, "more": found.height > asked["rows"]}


def _plain(value, characters: int):
    return value if value is None or isinstance(value, bool | int | float) else str(value)[:characters]


if __name__ == "__main__":
    asked = json.load(sys.stdin.buffer)
    limit(asked["memory"], asked["seconds"])
    json.dump(answer(asked), sys.stdout)
