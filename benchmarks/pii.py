"""PII detection: speed against datatrove's PIIFormatter, speed on adversarial text, and scores on labels.

    python -m benchmarks.pii CORPUS.jsonl.zst … [--peers PYTHON] [--largest 100] [--types person street_address]
    python -m benchmarks.pii --labeled LABELED.jsonl.zst [--peers PYTHON] [--lines]

Speed is in MB per CPU second on one core. Gristmill detects ``--types``, or its default types. datatrove detects e-mail
and IP addresses, the only types it knows. ``--peers`` is the Python of an environment with datatrove 0.10.1. Both run
alternately, and the shortest time of each counts.

``--largest`` is the size in megabytes of the longest adversarial text, or a hundredth of it for texts that the exact
rules examine in full. Texts of a hundredth and a tenth of that size run first.

``--labeled`` prints precision, recall and F1 for each type on labeled documents. The tools are gristmill, datatrove's
formatter and dolma's tagger (benchmarks/peers/pii.py); each peer is scored on the types it detects.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.harness import BenchmarkError

PEER = r"""
import json, sys, time
from datatrove.pipeline.formatters import PIIFormatter
texts, format = json.load(open(sys.argv[1])), PIIFormatter().format
format(texts[0])
began = time.process_time()
for text in texts:
    format(text)
print(json.dumps(time.process_time() - began))
"""
ROUNDS = 3
SPANS = Path(__file__).parent / "peers" / "pii.py"
SCOPES = {"datatrove": ("email", "ip"), "dolma": ("email", "ip", "phone")}  # peer -> types it detects
# Adversarial text. The exact rules skip the first group and examine all of the second, which is candidates throughout.
SKIPPED = {"digits": "0123456789", "@": "@", "1.1.1.1.": "1.1.1.1.", "1-": "1-", "ab::": "ab::"}
EXAMINED = {"a@b.c": "a@b.c", "phones": "415-867-5309, ", "9.8.7.6 ": "9.8.7.6 "}


def seconds(texts: list[str], types: list[str] | None = None) -> tuple[float, int]:
    """Return gristmill's CPU seconds for some types or the default types, and the number of spans found."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.pii.filter import PiiFilter
    from gristmill.pipelines.ragged import Ragged

    step, spans = PiiFilter(types=types) if types else PiiFilter(), 0
    step.rewrite(Batch(Ragged.from_strings(["a@mill.org 8.8.8.8 +1 415 867 5309"])))
    batches = [Batch(Ragged.from_strings(texts[i : i + 1000])) for i in range(0, len(texts), 1000)]
    began = time.process_time()
    for batch in batches:
        spans += step.rewrite(batch)[0].num_rows
    return time.process_time() - began, spans


def their_seconds(python: str, texts: list[str]) -> float:
    """Return the CPU seconds of datatrove."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        ran = subprocess.run([python, "-c", PEER, file.name], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def write_spans(peer: str, python: str, texts: list[str], path: Path) -> None:
    """Write the spans that a peer finds, by text number, in the format of --spans of `gristmill pii score`."""
    rows = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    try:
        ran = subprocess.run([python, "-I", SPANS, peer], input="\n".join(rows).encode(), capture_output=True)
    except OSError as error:
        raise BenchmarkError(f"cannot run {python}: {error.strerror}; --peers must name a Python") from None
    if ran.returncode:
        why = ran.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BenchmarkError(f"{peer} does not run in {python}: {why}; set --peers to a Python with {peer}")
    path.write_bytes(ran.stdout)


def score_peers(labeled: str, python: str | None, lines: bool) -> None:
    """Print the scores of each tool and type."""
    from gristmill.filters.pii.evaluate import pii_detector, read_labeled, score
    from gristmill.filters.pii.filter import PiiFilter
    from gristmill.flows.clean.pii import finder_of

    documents, ours = read_labeled(labeled), PiiFilter()
    finders = {"gristmill": (pii_detector(ours), ours.types)}
    with tempfile.TemporaryDirectory() as folder:
        for peer, types in SCOPES.items() if python else ():
            spans = Path(folder) / f"{peer}.jsonl"
            try:
                write_spans(peer, python, [each.text for each in documents], spans)
            except BenchmarkError as error:
                print(error)
                continue
            finders[peer] = finder_of(str(spans), [*map(str, range(len(documents)))]), types
    for name, (finder, types) in finders.items():
        scores = score(documents, finder, types, lines)
        for type, each in scores.types.items():
            shares = f"precision {each.precision:.3f}, recall {each.recall:.3f}, F1 {each.f1:.3f}"
            print(
                f"{name:<10}{type:<16}{each.correct:>7,} right, {each.false:,} false, {each.missed:,} missed; {shares}"
            )
        print(f"{name:<10}{scores.decoys_hit} of {scores.decoys} decoys touched", flush=True)


def main() -> None:
    from benchmarks.near_duplicates import read

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="*")
    parser.add_argument("--peers", help="path of the Python of the peers' environment")
    parser.add_argument("--megabytes", type=float, default=40, help="megabytes of text from each corpus (default 40)")
    parser.add_argument(
        "--largest", type=int, default=0, help="megabytes of the longest adversarial text (default 0: none)"
    )
    parser.add_argument("--types", nargs="+", help="types to detect, instead of the default types")
    parser.add_argument("--labeled", help="score the tools on the labeled documents of this file")
    parser.add_argument("--lines", action="store_true", help="score only the lines with a label or a decoy")
    args = parser.parse_args()
    if args.labeled:
        score_peers(args.labeled, args.peers, args.lines)
    for path in args.corpora:
        texts, left = [], args.megabytes * 1e6
        for row in read(path):
            if left > 0:
                texts.append(row["text"])
                left -= len(texts[-1])
        size = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(texts, args.types))
            if args.peers:
                theirs.append(their_seconds(args.peers, texts))
        spent, spans = min(ours)
        line = f"{Path(path).name}: gristmill {size / spent:.1f} MB/s, {spans:,} spans in {size:.1f} MB"
        if args.peers:
            peer = min(theirs)
            line += f"; datatrove {size / peer:.1f} MB/s, gristmill {peer / spent:.1f} times as fast"
        print(line, flush=True)
    for name, unit in {**SKIPPED, **EXAMINED}.items() if args.largest else ():
        most = args.largest / 100 if name in EXAMINED else args.largest
        sizes = [most / 100, most / 10, most]
        speeds = [f"{n:g} MB {n / seconds([unit * (int(n * 1_000_000) // len(unit))])[0]:.3g} MB/s" for n in sizes]
        print(f"{name}: {', '.join(speeds)}", flush=True)


if __name__ == "__main__":
    main()
