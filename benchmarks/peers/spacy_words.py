"""Word splitting with spaCy's English tokenizer, which datatrove's rules use: ``python spacy_words.py DOCUMENTS``."""

import json
import sys
import time

import spacy


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    tokenize = spacy.blank("en").tokenizer
    tokenize("Some text to begin with.")
    began, clock = time.process_time(), time.perf_counter()
    words = 0
    for text in texts:
        words += sum(not token.is_space for token in tokenize(text))
    spent = {"cpu": time.process_time() - began, "wall": time.perf_counter() - clock}
    print(json.dumps({"bytes": sum(len(text.encode()) for text in texts), **spent, "words": words}))


if __name__ == "__main__":
    main(sys.argv[1])
