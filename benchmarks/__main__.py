"""Run jobs of gristmill and its peers in turns, print the table and save the figures: ``python -m benchmarks all``.

    python -m benchmarks all --rounds 3
    python -m benchmarks "near-duplicates" tokenizer

Words select the rows whose names contain one of them. The figures go to build/bench/results.json, from which
``python -m benchmarks.readme`` writes the tables of the documentation. `make peers` installs the peers.
"""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.harness import BenchmarkError, compare, remove_old, table
from benchmarks.rows import rows
from benchmarks.sides import CACHE, RESULTS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("words", nargs="+", metavar="WORD", help="all, or words in the names of the rows to run")
    parser.add_argument("--rounds", type=int, default=3, help="runs per side (default 3); the table shows medians")
    arguments = parser.parse_args()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    try:
        for row in rows(arguments.words):
            print(f"{row.name} …", file=sys.stderr)
            ours, peers = compare(row, arguments.rounds)
            print(table({row.name: (ours, peers)}), flush=True)
            figures = {"ours": asdict(ours), "peers": {name: asdict(peer) for name, peer in peers.items()}}
            kept[row.name] = {"kernel": row.kernel, "rounds": arguments.rounds, **figures}
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps(kept, indent=2) + "\n")
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")
    finally:
        remove_old(CACHE)


if __name__ == "__main__":
    main()
