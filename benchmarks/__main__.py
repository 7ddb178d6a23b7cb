"""Run the rows of the table, print it and save the figures: ``python -m benchmarks --only rules``.

``--only`` selects the rows whose names contain a word. The figures go to build/bench/results.json.
"""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.harness import BenchmarkError, compare, table
from benchmarks.rows import RESULTS, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORD", help="run only the rows whose names contain WORD")
    parser.add_argument("--rounds", type=int, default=3, help="runs per side (default 3); the table shows medians")
    arguments = parser.parse_args()
    results = {}
    try:
        for row in rows(arguments.only):
            print(f"{row.name} …", file=sys.stderr)
            results[row.name] = compare(row, arguments.rounds)
            for side, figures in zip(("ours", "peer"), results[row.name], strict=True):
                if figures and figures.said:
                    print(f"  {side} {json.dumps(figures.said)}", file=sys.stderr)
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")
    print(table(results))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name, (ours, peer) in results.items():
        kept[name] = {"ours": asdict(ours), "peer": peer and asdict(peer)}
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
