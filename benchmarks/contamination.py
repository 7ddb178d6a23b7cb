"""Recall of planted benchmark items by benchmark and kind of planting, and documents flagged by mistake.

python -m benchmarks.contamination CORPUS.jsonl.zst EVAL.jsonl.zst
"""

import argparse
import time
from collections import Counter

from benchmarks.near_duplicates import read
from gristmill.dedup.contamination.eval_sets import Item
from gristmill.dedup.contamination.step import Contamination
from gristmill.pipelines.ragged import Ragged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("eval")
    args = parser.parse_args()
    settings = Contamination()
    labeled = [(row["labels"], row["id"]) for row in read(args.eval)]
    items = [
        Item(labels["benchmark"], id, labels["question"], (*labels.get("choices", ()), str(labels["answer"])))
        for labels, id in labeled
    ]
    index = settings.index(items)
    print(f"{len(items)} items, {index.grams.size} grams, {index.short.size} items too short")
    rows = read(args.corpus)
    index.measure(Ragged.from_strings([rows[0]["text"]]))
    text = Ragged.from_strings([row["text"] for row in rows])
    began = time.process_time()
    grams = index.measure(text)
    print(f"measured at {text.data.size / 1e6 / (time.process_time() - began):.1f} MB per CPU second")
    found = settings.find(grams, index)
    matched = {(row, items[item].id) for row, item in zip(found["row"].to_list(), found["item"].to_list(), strict=True)}
    flagged = set(found["row"].to_list())
    planted, recalled, by_document = Counter(), Counter(), Counter()
    for number, row in enumerate(rows):
        for plant in row["labels"].get("contamination", []):
            key = plant["benchmark"], plant["mode"]
            planted[key] += 1
            recalled[key] += (number, plant["item"]) in matched
            by_document[key] += number in flagged
            if number not in flagged:
                print("  missed", plant["item"], plant["mode"], repr(row["text"][plant["start"] : plant["end"]])[:100])
    for key in sorted(planted):
        print(*key, f"{recalled[key]} items and {by_document[key]} documents found, of {planted[key]}")
    clean = [i for i, row in enumerate(rows) if not row["labels"].get("contamination")]
    false = sorted(flagged & set(clean))
    print(f"{len(false)} of {len(clean)} documents without planted items flagged: {len(false) / len(clean):.3%}")
    for row, item, coverage in found.iter_rows():
        if row in false:
            print(f"  {rows[row]['id']} {coverage:.2f} {items[item].id} {items[item].question[:90]!r}")


if __name__ == "__main__":
    main()
