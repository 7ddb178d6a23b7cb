"""What datatrove 0.10.1 itself says: ``python datatrove_oracle.py DOCUMENTS.jsonl ANSWERS.jsonl``.

Runs in an environment of its own (``make peers``), since datatrove's pins and ours do not meet; it imports nothing of
Gristmill. Each line of DOCUMENTS has an ``id`` and a ``text``; each line of ANSWERS the reason by which each of the
four filters drops it ("" to stay), digests of its words and of the text that C4 leaves, and the same of the chain in
FineWeb's order. A filter that raises answers with the name of the exception.

``--keep-words`` keeps spaCy's cache of words between texts, which datatrove empties after each: the same answers in
half the time, for large corpora. ``--time`` runs the chain alone, as it is, and
prints its CPU seconds.
"""

import argparse
import contextlib
import hashlib
import json
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_words
from datatrove.utils.word_tokenizers import load_word_tokenizer

# Once spaCy has met this word and forgotten it, it throws at it, and datatrove strikes it out: only in the first document
# that holds it, it is a word. Answers are those for the others.
CURSED = "IS_ALPHA"
ALONE = {
    "repetition": GopherRepetitionFilter(),
    "gopher": GopherQualityFilter(),
    "c4": C4QualityFilter(),
    "fineweb": FineWebQualityFilter(),
}
CHAIN = {**ALONE, "c4": C4QualityFilter(filter_no_terminal_punct=False)}


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def reason(rule_set, document: Document) -> str:
    try:
        answer = rule_set.filter(document)
    except (ZeroDivisionError, IndexError) as error:
        return type(error).__name__
    return "" if answer is True else answer[1]


def chain(text: str) -> tuple[list[str], str]:
    document = Document(text=text, id="")
    for name, rule_set in CHAIN.items():
        if why := reason(rule_set, document):
            return [name, why], document.text
    return [], document.text


def judge(row: dict) -> dict:
    text = row["text"]
    words = split_into_words(text)
    answer = {"id": row["id"], "words": [len(words), digest("\0".join(words))]}
    for name, rule_set in ALONE.items():
        document = Document(text=text, id="")
        answer[name] = reason(rule_set, document)
        if name == "c4":
            answer["c4_text"] = digest(document.text)
    answer["chain"], left = chain(text)
    answer["chain_text"] = digest(left)
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents")
    parser.add_argument("answers", nargs="?")
    parser.add_argument("--keep-words", action="store_true")
    parser.add_argument("--time", action="store_true")
    arguments = parser.parse_args()
    if arguments.keep_words:
        load_word_tokenizer("eng").tokenizer.memory_zone = contextlib.nullcontext
    split_into_words(CURSED)
    with open(arguments.documents, encoding="utf-8") as file:
        if arguments.time:
            rows = [json.loads(line)["text"] for line in file]
            began = time.process_time()
            for text in rows:
                chain(text)
            print(json.dumps({"cpu": time.process_time() - began, "bytes": sum(len(row.encode()) for row in rows)}))
            return
        with open(arguments.answers, "w", encoding="utf-8") as out:
            for line in file:
                out.write(json.dumps(judge(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
