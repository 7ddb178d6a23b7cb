"""``python -m benchmarks --only rules``: run the rows whose name holds a word, print the table, keep the figures."""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.harness import BenchmarkError, compare, table
from benchmarks.rows import RESULTS, rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORD", help="rows with this word in their name")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3); medians are printed")
    arguments = parser.parse_args()
    results = {}
    try:
        for row in rows(arguments.only):
            print(f"{row.name} …", file=sys.stderr)
            results[row.name] = compare(row, arguments.rounds)
            for who, figures in zip(("ours", "peer"), results[row.name], strict=True):
                if figures and figures.said:
                    print(f"  {who} {json.dumps(figures.said)}", file=sys.stderr)
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
