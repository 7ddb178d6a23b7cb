"""Gristmill's side of the word splitting comparison; only the splitting is timed.

python -m benchmarks.words DOCUMENTS
"""

import json
import sys
import time

from benchmarks.rules import batches
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT


def main(path: str) -> None:
    texts = [Ragged.from_text(table[TEXT]) for table in batches(path)]
    unicode_words(Ragged.from_strings(["compile"]))
    began, clock = time.process_time(), time.perf_counter()
    words = sum(unicode_words(text).start.size for text in texts)
    spent = {"cpu": time.process_time() - began, "wall": time.perf_counter() - clock}
    print(json.dumps({"bytes": sum(text.data.size for text in texts), **spent, "words": words}))


if __name__ == "__main__":
    main(sys.argv[1])
