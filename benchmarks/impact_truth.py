"""Experiments whose answer is planted: how often `gristmill impact` is right, on corpora made of $D.

    python -m benchmarks.impact_truth RESULTS.jsonl [--only PATTERN] [--limit N] [--seeds 6] [--workers 2]

Every question is one experiment on real models and one line of RESULTS: its name, the truth, the verdict, the
difference and the seconds. Questions that RESULTS holds are not asked again, so the script may be stopped at any time.
At the end, or with ``--limit 0``, it prints right verdicts, wrong findings on nulls and wrong directions.

- *salad*: a third of 12 MB, or half of 1.5 MB, has shuffled words; it is removed. Truth: better.
- *copies*: a third of 12 MB, or half of 1.5 MB, are copies of 20 documents; they are removed. Truth: better, since a
  run meets each of them seven times at 0.05 epochs of 12 MB, and 25 times at one of 1.5 MB.
- *fewer*: a twentieth of the documents, at equal tokens: read 8 times. Truth: worse.
- *half*, *third*: random shares against each other. Truth: nothing, at any size.
"""

import argparse
import fnmatch
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from upath import UPath

from benchmarks.sides import DATA
from gristmill.flows.engine.engines import engine
from gristmill.flows.engine.progress import RichProgress
from gristmill.flows.impact.eval_sets import cut_pieces
from gristmill.flows.impact.recipe import parse_impact
from gristmill.flows.impact.run import measure_impact
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings

CORPUS, GOOD = "prose_novels.jsonl.zst", "prose_speeches.jsonl.zst"
COPIED, BYTES_PER_TOKEN = 20, 3.3
LONGEST = 1500  # bytes of a document
CONTEXT, BATCH = 128, 2  # at a low rate many small steps see more: effects stood out twice as far as with 8 sequences
WARMUP = 0.1  # of the steps
FINDINGS = "better", "worse"


class Truth(NamedTuple):
    """Question with a known answer."""

    kind: str  # salad, copies, fewer, half or third
    megabytes: float
    epochs: float  # of the whole corpus that one run reads
    sample: int
    answer: str  # better, worse or nothing

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.megabytes:g}MB-{self.epochs:g}ep-{self.sample}"


def questions() -> list[Truth]:
    """Return the 60 questions, a sample of every kind before the next: 36 with an effect, and 24 nulls.

    Half of 1.5 MB is spoiled: three parts of it are read for 0.3 epochs each, and their means saw a third in none of
    two questions.
    """
    found = [Truth("salad", size, 0.05 if size > 2 else 0.3, k, "better") for size in (12, 1.5) for k in range(6)]
    found += [Truth("copies", size, 0.05 if size > 2 else 1.0, k, "better") for size in (12, 1.5) for k in range(6)]
    found += [Truth("fewer", 1.5, 0.4, k, "worse") for k in range(12)]
    for kind, size, epochs in (
        *(("half", size, epochs) for size, epochs in ((12, 0.05), (3, 0.2), (1.5, 0.4), (1.5, 1.5))),
        *(("third", size, epochs) for size, epochs in ((12, 0.05), (3, 0.4))),
    ):
        found += [Truth(kind, size, epochs, k, "nothing") for k in range(4)]
    return sorted(found, key=lambda question: question.sample)


def documents(truth: Truth, pool: list[str]) -> Iterator[dict]:
    """Yield the documents of a corpus, drawn from ``pool``, with the source ``good`` or ``bad``."""
    rng, size = random.Random(truth.name), truth.megabytes * 1e6
    copied, spoiled = rng.sample(pool, COPIED), truth.kind in ("salad", "copies")
    for text in rng.sample(pool, len(pool)):
        source = "good"
        if spoiled and rng.random() < (1 / 2 if truth.megabytes < 2 else 1 / 3):
            words = text.split()
            rng.shuffle(words)
            text, source = (" ".join(words) if truth.kind == "salad" else rng.choice(copied)), "bad"
        yield {"id": f"{rng.getrandbits(64):016x}", "text": text, "source": source}
        size -= len(text.encode())
        if size <= 0:
            return
    raise SystemExit(f"{CORPUS} is shorter than {truth.megabytes} MB")


def arms(truth: Truth) -> dict:
    """Return the arms of a question; its answer is about the last against the first."""
    if truth.kind == "half":
        return {"raw": False, "full": False, "shares": {"low": [0, 0.5], "high": [0.5, 1]}}
    if truth.kind in ("salad", "copies"):
        return {"full": False, "sources": {"good": ["good"]}}
    return {"full": False, "shares": {"some": [0, 0.05 if truth.kind == "fewer" else 2 / 3]}}


def ask(truth: Truth, pool: list[str], seeds: int, workers: int) -> dict:
    """Run one experiment; return its line of results."""
    began, cpu, shown = time.perf_counter(), time.process_time(), RichProgress(Console(stderr=True))
    shown.show_steps = False  # a line a minute of a long step is enough
    steps = max(1, round(truth.epochs * truth.megabytes * 1e6 / BYTES_PER_TOKEN / CONTEXT / BATCH))
    with tempfile.TemporaryDirectory() as folder, engine("threads", workers) as opened:
        corpus = Path(folder, "corpus.jsonl")
        corpus.write_text("".join(json.dumps(row) + "\n" for row in documents(truth, pool)))
        table = {
            "name": truth.name,
            "arms": arms(truth),
            "heldout": {"sets": {"speeches": [str(DATA / GOOD)]}, "bytes": 60_000, "piece_bytes": 400},
            "budget": {"seeds": seeds, "max_epochs": 40.0},
            "model": {"preset": "proxy-100k", "context": CONTEXT},
            "train": {"steps": steps, "batch_size": BATCH, "warmup": round(WARMUP * steps)},
        }
        asked = parse_impact(table, truth.name, (), (str(corpus),))
        found = measure_impact(asked, UPath(folder) / "work", opened, shown)
    (row,) = found["questions"]
    answer = row["verdict"] if row["verdict"] in FINDINGS else "nothing"
    line = truth._asdict() | {"name": truth.name, "verdict": row["verdict"], "right": answer == truth.answer}
    line |= {key: row[key] for key in ("delta", "interval", "paired", "correlation", "seeds", "other_rate")}
    line |= {"parts": found["parts"], "spread": found["spread"]}
    line["losses"] = [arm["losses"]["speeches"]["seeds"] for arm in found["arms"]]
    seconds = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
    return line | {key: round(value, 1) for key, value in seconds.items()}


def summarize(lines: list[dict]) -> Iterator[str]:
    """Yield the counts that matter, and a line per kind of question."""
    findings = [line for line in lines if line["verdict"] in FINDINGS]
    nulls = [line for line in lines if line["answer"] == "nothing"]
    wrong = sum(line["answer"] == "nothing" for line in findings)
    turned = sum(line["answer"] not in ("nothing", line["verdict"]) for line in findings)
    yield f"{sum(line['right'] for line in lines)} of {len(lines)} right, {wrong} findings among {len(nulls)} nulls, "
    yield f"{turned} wrong directions"
    for group in sorted({line["name"].rpartition("-")[0] for line in lines}):
        mine = [line for line in lines if line["name"].rpartition("-")[0] == group]
        verdicts = Counter(line["verdict"] for line in mine).most_common()
        found, cpu = (sorted(line[key] for line in mine) for key in ("delta", "cpu_seconds"))
        yield (
            f"{group:<18} {found[0]:+.3f} to {found[-1]:+.3f} bits per byte, {cpu[0]:.0f} to {cpu[-1]:.0f} CPU s: "
            + (", ".join(f"{count} {verdict}" for verdict, count in verdicts))
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", default="*", help="ask only questions whose name fits the pattern")
    parser.add_argument("--limit", type=int, default=60, help="ask up to this many questions now")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2, help="models trained at the same time, a core each")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.results.read_text().splitlines()] if asked.results.exists() else []
    open_ = [q for q in questions() if q.name not in {line["name"] for line in lines}]
    open_ = [q for q in open_ if fnmatch.fnmatch(q.name, asked.only)][: asked.limit]
    texts = read_texts(DATA / CORPUS) if open_ else ()
    pool = [piece for text in texts for piece in cut_pieces(text.encode(), LONGEST)]
    for truth in open_:
        lines.append(line := ask(truth, pool, asked.seeds, asked.workers))
        with asked.results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        cost = f"{line['seconds']:.0f} s, {line['cpu_seconds']:.0f} CPU s"
        print(f"{truth.name}: {line['verdict']}, expected {truth.answer}, {cost}", flush=True)
    print("\n".join(summarize(lines)))


def read_texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file of documents."""
    for table in read_documents([str(path)], InputSettings()):
        yield from table["text"].to_pylist()


if __name__ == "__main__":
    main()
