"""Words by spaCy's English tokenizer, which datatrove's rules use: ``python spacy_words.py DOCUMENTS``."""

import json
import sys
import time

import spacy


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    tokenize = spacy.blank("en").tokenizer
    tokenize("Some text to begin with.")
    began = time.process_time()
    words = 0
    for text in texts:
        words += sum(not token.is_space for token in tokenize(text))
    cpu = time.process_time() - began
    print(json.dumps({"bytes": sum(len(text.encode()) for text in texts), "cpu": cpu, "words": words}))


if __name__ == "__main__":
    main(sys.argv[1])
