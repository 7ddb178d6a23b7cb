"""Mixture whose answer is planted: three sources of $D, of which one is word salad, and `gristmill mix`.

    python -m benchmarks.mix_truth FOLDER [--budget 60runs] [--megabytes 4]

Sources of one size: novels, kernel documentation, and novels with shuffled words. FOLDER/results.json has the shares
with their intervals, the gains on the guard, and the seconds. A stopped search continues. Truth: the share of the salad
and its interval lie below the natural share, and the gain over the natural mixture is above zero.
"""

import argparse
import json
import random
import time
from pathlib import Path

from upath import UPath

from benchmarks.impact_truth import read_texts
from benchmarks.sides import DATA
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.impact.eval_sets import cut_pieces
from gristmill.flows.impact.recipe import parse_impact
from gristmill.flows.mix.mixture_law import KL_WEIGHT
from gristmill.flows.mix.run import mix
from gristmill.flows.mix.settings import Mixing
from gristmill.flows.proxies.budget import parse_budget

SOURCES = {"novels": "prose_novels", "manuals": "docs_en_linux", "salad": "prose_novels"}
HELDOUT = {"speeches": "prose_speeches", "essays": "prose_anarchism"}
PIECE = 3000  # bytes of a document


def write_corpus(path: Path, megabytes: float) -> None:
    """Write documents of all sources; the salad's novels are not among the others."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for source, name in SOURCES.items():
            texts = read_texts(DATA / f"{name}.jsonl.zst")
            pieces = [piece for text in texts for piece in cut_pieces(text.encode(), PIECE)]
            half = pieces[len(pieces) // 2 :] if source == "salad" else pieces[: len(pieces) // 2]
            size = megabytes * 1e6
            for k, piece in enumerate(rng.sample(half, len(half))):
                words = piece.split()
                text = " ".join(rng.sample(words, len(words))) if source == "salad" else piece
                file.write(json.dumps({"id": f"{source}-{k}", "text": text, "source": source}) + "\n")
                if (size := size - len(text.encode())) <= 0:
                    break


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budget", default="60runs")
    parser.add_argument("--megabytes", type=float, default=4.0, help="size of each source")
    parser.add_argument("--steps", type=int, default=50, help="steps of a run, of 8 sequences")
    parser.add_argument("--preset", default="proxy-1m", help="preset of the model")
    asked = parser.parse_args()
    began, folder = time.perf_counter(), asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    corpus, results = folder / "corpus.jsonl", folder / "results.json"
    if not corpus.exists():
        write_corpus(corpus, asked.megabytes)
    experiment = {
        "heldout": {
            "sets": {name: [str(DATA / f"{file}.jsonl.zst")] for name, file in HELDOUT.items()},
            "bytes": 40_000,
            "piece_bytes": 400,
        },
        "model": {"preset": asked.preset},
        "train": {"steps": asked.steps, "batch_size": 8, "warmup": 10},
    }
    with engine("threads", 2) as two:
        clean(parse_recipe({"input": {"paths": [str(corpus)]}, "steps": {}}, "mix_truth"), UPath(folder / "work"), two)
        proxy = parse_impact(experiment, "mix_truth", (), (str(corpus),))
        mixing = Mixing(str(folder / "work"), "source", parse_budget(asked.budget), proxy, None, 4.0, KL_WEIGHT)
        found = mix(mixing, UPath(folder / "mix"), two, on_log=print)
    (salad,) = (row for row in found["sources"] if row["name"] == "salad")
    natural = [row for row in found["guard"] if row["against"] == "natural"]
    checks = {
        "salad_below_natural": salad["interval"][1] < salad["natural"],
        "gain_over_natural": bool(found["written"]),
        "seconds": round(time.perf_counter() - began, 1),
    }
    results.write_text(json.dumps(checks | {"natural": natural} | found, indent=1) + "\n")
    for row in found["sources"]:
        low, high = row["interval"]
        print(f"{row['name']:<10}{row['natural']:.3f} natural, best {row['share']:.3f} ({low:.3f} to {high:.3f})")
    print(found["headline"], checks, sep="\n")


if __name__ == "__main__":
    main()
