"""datatrove 0.10.1's side of the rules comparison: ``python datatrove_rules.py DOCUMENTS BAD_WORDS every|chain``.

datatrove's classes run with their defaults, in FineWeb's order, in one process. Only the calls of ``filter`` are timed.
``every`` passes each document to all filters; ``chain`` stops at the first filter that drops the document.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4BadWordsFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    c4_filters,
)


def bad_words(path: str) -> C4BadWordsFilter:
    """Return C4's bad words filter with a local copy of the list that it would download."""
    c4_filters.cached_asset_path_or_download = lambda *_, **__: path
    return C4BadWordsFilter()


def main(path: str, words: str, how: str) -> None:
    filters = {
        "repetition": GopherRepetitionFilter(),
        "gopher": GopherQualityFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
        "keywords": bad_words(words),
    }
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for rule_set in filters.values():  # loads the word tokenizer
        rule_set.filter(Document(text="Some text to begin with.", id="warm-up"))
    kept, seconds = dict.fromkeys([*filters, "all"], 0), {"cpu": 0.0, "wall": 0.0}
    for row in rows:
        document, stays = Document(text=row["text"], id=row["id"]), True
        for name, rule_set in filters.items():
            began, clock = time.process_time(), time.perf_counter()
            answer = rule_set.filter(document)
            seconds["cpu"] += time.process_time() - began
            seconds["wall"] += time.perf_counter() - clock
            passed = answer is True  # otherwise (False, reason)
            kept[name] += passed
            stays &= passed
            if how == "chain" and not stays:
                break
        kept["all"] += stays
    size = sum(len(row["text"].encode()) for row in rows)
    print(json.dumps({"bytes": size, **seconds, "documents": len(rows), "kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
