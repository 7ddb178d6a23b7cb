"""Tokenizers, token shards and models made from the clean documents."""

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl
from upath import UPath

from gristmill.flows.report.svg import Chart, chart
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.files import verify_file
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import list_shards, read_batches
from gristmill.tokenizers_lab.evaluate import measure
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

COMPARED = 1_000_000  # bytes of text to compare tokenizers on
POINTS = 300  # of a curve
SUMMARY = "summary.json"  # of a model's run


def finished_in(folder: UPath) -> Iterator[tuple[str, UPath, Manifest]]:
    """Yield the finished folders in a folder, by name."""
    if folder.is_dir():
        for path in sorted(folder.iterdir(), key=lambda path: path.name):
            if path.is_dir() and (manifest := Manifest.read(path)):
                yield path.name, path, manifest


def tokenizers(work: FinishedRun) -> dict[str, Any] | None:
    """Return measures of the work folder's tokenizers on the first clean text, or None without tokenizers."""
    found = list(finished_in(work.folder / "tokenizers"))
    if not found or not work.summary["clean"]:
        return None
    texts, left = [], COMPARED
    for path in list_shards(work.folder / "clean"):
        for table in read_batches(path, [TEXT]) if left > 0 else ():
            for text in table[TEXT]:
                if left > 0:
                    texts.append(text.as_py())
                    left -= len(texts[-1].encode())
    rows = Ragged.from_strings(texts)
    measured = []
    for name, path, _ in found:
        opened = open_tokenizer(path)
        measured.append({"name": name, "algorithm": opened.model.algorithm, **measure(opened, rows, [""] * len(texts))})
    return {"rows": measured, "documents": len(texts), "bytes": int(rows.data.size)}


def tokens(work: FinishedRun) -> list[dict[str, Any]]:
    """Return each folder of token shards, with its shards and its mixture."""
    folders = []
    for name, _, manifest in finished_in(work.folder / "tokens"):
        shards = [
            {"name": part, "size": sum(file["bytes"] for file in made.files.values()), **made.counts}
            for part, made in sorted(manifest.parts.items())
            if "tokens" in made.counts
        ]
        folders.append({"name": name, "shards": shards, "counts": manifest.counts, "settings": manifest.settings})
    return folders


def runs(work: FinishedRun) -> dict[str, Any] | None:
    """Return the models of the work folder with their losses by step, or None without models."""
    rows, curves, points = [], [], []
    for name, path, manifest in finished_in(work.folder / "runs"):
        if not (file := manifest.files.get(SUMMARY)):
            continue
        verify_file(path / SUMMARY, file["sha256"])
        rows.append({"name": name, "train": manifest.settings["train"], **orjson.loads((path / SUMMARY).read_bytes())})
        log = read_log(path / "log.jsonl")
        losses = log.filter(pl.col("loss").is_finite()).gather_every(max(1, log.height // POINTS))
        curves.append((name, losses["step"].to_list(), losses["loss"].to_list()))
        if "validation" in log.columns:
            held_out = log.drop_nulls("validation")
            points.append((f"{name}, validation", held_out["step"].to_list(), held_out["validation"].to_list()))
    return {"rows": rows, "chart": _losses(curves + points, len(curves))} if rows else None


def read_log(path: UPath) -> pl.DataFrame:
    """Return a run's log, which no manifest lists since it holds times."""
    try:
        log = pl.DataFrame([orjson.loads(line) for line in path.read_bytes().splitlines()])
        return log.with_columns(pl.col("step", "loss"))  # raises if one is missing
    except (orjson.JSONDecodeError, TypeError, pl.exceptions.PolarsError) as error:
        raise WorkError(f"{path} is damaged ({error}); remove the run or train it again") from error


def _losses(series: list[tuple], curves: int) -> tuple[Chart, int]:
    """Return the chart, and the number of its lines that are curves; the others are single points."""
    return chart(series, "step"), curves
