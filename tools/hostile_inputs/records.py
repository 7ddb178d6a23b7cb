"""Bad records and tables: JSON lines, CSV, TSV and Parquet."""

import decimal
import json
from functools import partial

import pyarrow as pa

from tools.hostile_inputs.raw import Kind, Raw

MILLION = 1_000_000


def object_of(**columns) -> str:
    """Return a JSON object with a text."""
    return json.dumps({"text": "A text of some words."} | columns)


# Lines between two good ones.
LINES: dict[str, bytes | str] = {
    "blank lines": "\n \n\t\n\r\n" * 50_000,
    "byte order mark": "\ufeff" + object_of(),
    "Latin-1": object_of(text="caf\xe9").replace("\\u00e9", "\xe9").encode("latin-1"),
    "overlong UTF-8": b'{"text": "\xc0\xaf\xe0\x80\xaf"}',
    "UTF-16 line": object_of().encode("utf-16"),
    "lone surrogate, escaped": '{"text": "a\\ud800b"}',
    "lone surrogate, encoded": b'{"text": "a\xed\xa0\x80b"}',
    "NUL bytes": b"\0" * 5000,
    "NUL in a text": '{"text": "a\\u0000b"}',
    "raw control bytes": b'{"text": "a\x01\x02\x1b[31mb"}',
    "truncated object": '{"text": "a',
    "no objects": '1\n"a"\n[1]\nnull\ntrue',
    "text of other types": '{"text": 1}\n{"text": null}\n{"text": ["a"]}\n{"text": {"a": 1}}\n{"t": "a"}',
    "nested 100,000 deep": '{"text": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "nested 500 deep": '{"text": "a", "x": ' + "[" * 500 + "]" * 500 + "}",
    "5,000 keys": object_of(**{f"k{i}": i for i in range(5000)}),
    "20,000 keys": object_of(**{f"k{i}": i for i in range(20_000)}),
    "key given twice": '{"text": "a", "text": "b"}',
    "integer of 4,400 digits": '{"text": "a", "n": ' + "9" * 4400 + "}",
    "numbers beyond 64 bits": "\n".join(object_of(id=n, n=n) for n in (2**63, 2**64, -(2**63) - 1, 10**30)),
    "NaN and Infinity": '{"text": "a", "n": NaN}\n{"text": "b", "n": -Infinity}\n{"text": "c", "n": 1e999}',
    "ids of every type": "\n".join(object_of(id=id) for id in (1, 1.5, True, None, "", [1], {"a": 1}, "x" * MILLION)),
    "one id 5,000 times": "\n".join(object_of(id="same", n=i % 7) for i in range(5000)),
    "ids like paths": "\n".join(
        object_of(id=id, source=id) for id in ("../../x", "/etc/x", "a\nb", "\0", "\x1b]0;x\7")
    ),
    "types that change": "\n".join(object_of(v=v) for v in (1, "a", [1], {"a": 1}, 1.5, None, True, 2**60)),
    "odd column names": object_of(**{"": 1, "\0": 2, "\0row": 3, "reason": 4, "part": 5, "a\nb": 6, "input.id": 7}),
    "extreme dates": "\n".join(object_of(id="d", t=t) for t in ("9999-12-31T23:59:60+25:00", "-0001-01-01", "0000")),
    "garbage after an object": object_of() + " garbage",
    "objects without a line break": object_of() * 50,
    "object over many lines": json.dumps({"text": "a", "x": list(range(1000))}, indent=1),
    "line of 70 MB": '{"text": "' + "a" * (70 * MILLION) + '"}',
    "300,000 bad lines": "x\n" * 300_000,
    "key of 1 MB": object_of(**{"k" * MILLION: 1}),
    "line separators": object_of(text="a\u2028b\u2029c\x85d\x0be\x0cf"),
    "blank texts": "\n".join(object_of(text=text) for text in ("", " ", "\n" * 1000, "\u3000", "\u200b", "\ufeff")),
    "300,000 empty texts": '{"text":""}\n' * 300_000,
    "300,000 texts of two letters": "".join(f'{{"text":"{a}{a}"}}\n' for a in "abcdefghij") * 30_000,
}


def one_key_per_row(raw: Raw) -> None:
    """Write objects whose keys are data: 3,000 columns."""
    raw.among("\n".join(object_of(**{f"k{i}": i}) for i in range(3000)))


def json_array(raw: Raw) -> None:
    """Write all records as one JSON array."""
    raw.write("bad.json", json.dumps([raw.document() for _ in range(3)]))


CSV_HEAD = "id,text\n"
# CSV files without good rows.
CSV: dict[str, bytes | str] = {
    "CSV quote left open": CSV_HEAD + 'a,"open\n' + "b,c\n" * 1000,
    "CSV quotes inside": CSV_HEAD + 'a,x "y" z\nb,"x" y\nc,"x""y"\nd,""""\n',
    "CSV backslash quotes": CSV_HEAD + 'a,"x \\"y\\" z"\n',
    "CSV rows of other lengths": CSV_HEAD + "a\na,b,c\n,,,,\n",
    "CSV with NUL": CSV_HEAD.encode() + b"a,x\0y\n",
    "CSV two columns of one name": "text,text\na,b\n",
    "CSV without text column": "a,b\n1,2\n",
    "CSV header alone": CSV_HEAD,
    "CSV empty header": "\n\n\n",
    "CSV in UTF-16": (CSV_HEAD + "a,b\n").encode("utf-16"),
    "CSV lines end with CR": "id,text\ra,b\rc,d\r",
    "CSV with semicolons": "id;text\na;b\n",
    "CSV field of 20 MB": CSV_HEAD + "a," + "x" * (20 * MILLION) + "\n",
    "CSV field of 500,000 lines": CSV_HEAD + 'a,"' + "x\n" * 500_000 + '"\n',
    "CSV of 500,000 blank lines": CSV_HEAD + "\n" * 500_000,
    "CSV of 300,000 short rows": CSV_HEAD + "".join(f"{i},ab\n" for i in range(300_000)),
    "CSV of 3,000 columns": "text," + ",".join(f"c{i}" for i in range(2999)) + "\n" + ("12," * 2999 + "12\n") * 200,
    "CSV of 10,000 columns": "text," + ",".join(f"c{i}" for i in range(9999)) + "\n" + ("12," * 9999 + "12\n") * 200,
}
TSV = {"TSV with quotes": 'id\ttext\na\t"open\nb\tx "y"\n', "TSV with escapes": "id\ttext\na\tx\\ty\\n\n"}

TEXTS = ["One text of some words.", "Another text."]
# Parquet files, as columns.
COLUMNS: dict[str, dict] = {
    "Parquet without rows": {"text": pa.array([], pa.string())},
    "Parquet without text": {"t": pa.array(TEXTS)},
    "Parquet texts null": {"text": pa.nulls(2, pa.string())},
    "Parquet texts are numbers": {"text": pa.array([1, 2])},
    "Parquet binary, not UTF-8": {"text": pa.array([b"\xff\xfe", b"a"])},
    "Parquet dictionary": {"text": pa.array(TEXTS).dictionary_encode()},
    "Parquet string view": {"text": pa.array(TEXTS, pa.string_view())},
    "Parquet large binary": {"text": pa.array([t.encode() for t in TEXTS], pa.large_binary())},
    "Parquet lists of texts": {"text": pa.array([TEXTS, []])},
    "Parquet nested text": {"text": pa.array([{"body": t} for t in TEXTS])},
    "Parquet extreme times": {"text": TEXTS, "id": pa.array([2**62, -(2**62)], pa.timestamp("us"))},
    "Parquet odd zone": {"text": TEXTS, "id": ["a", "a"], "t": pa.array([0, 1], pa.timestamp("ns", "Mars/Crater"))},
    "Parquet decimals": {"text": TEXTS, "id": pa.array([decimal.Decimal(10**40)] * 2, pa.decimal256(60, 5))},
    "Parquet maps": {"text": TEXTS, "m": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64()))},
    "Parquet durations": {"text": TEXTS, "d": pa.array([2**62, -1], pa.duration("us"))},
    "Parquet unsigned 64 bits": {"text": TEXTS, "id": pa.array([2**64 - 1, 0], pa.uint64())},
    "Parquet 3,000 columns": {"text": TEXTS} | {f"c{i}": [i, None] for i in range(3000)},
    "Parquet column of nulls": {"text": TEXTS, "n": pa.nulls(2)},
    "Parquet of 500,000 empty texts": {"text": pa.array([""] * 500_000)},
    "Parquet: one text of 1 MB 100 times": {"text": pa.array(["lorem " * 170_000] * 100)},
}


def one_table(raw: Raw, columns: dict) -> None:
    """Write a Parquet file."""
    raw.table("bad.parquet", pa.table(columns))


def two_of_a_name(raw: Raw) -> None:
    """Write a table with two columns named text."""
    raw.table("bad.parquet", pa.Table.from_arrays([pa.array(TEXTS)] * 2, ["text", "text"]))


KINDS: dict[str, Kind] = {
    **{name: Kind(partial(Raw.among, lines=lines)) for name, lines in LINES.items()},
    "3,000 rows of one key each": Kind(one_key_per_row, stop=True),
    "JSON array": Kind(json_array),
    **{name: Kind(partial(Raw.write, name="bad.csv", data=data)) for name, data in CSV.items()},
    **{name: Kind(partial(Raw.write, name="bad.tsv", data=data)) for name, data in TSV.items()},
    **{name: Kind(partial(one_table, columns=columns)) for name, columns in COLUMNS.items()},
    "Parquet two columns of one name": Kind(two_of_a_name),
}
