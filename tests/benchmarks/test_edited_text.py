"""Copies of a corpus: the same lengths and frequencies, other words, and the duplicates that the corpus has."""

import random
from collections import Counter

import orjson

from benchmarks.edited_text import EditedText

WORDS = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in ("n", "rt", "ls", "mp", "x", "sch", "t", "l")]


def corpus(documents=30):
    draw = random.Random(1)
    texts = [" ".join(draw.choices(WORDS, range(len(WORDS), 0, -1), k=200)) + ", 42.\n" for _ in range(documents)]
    texts += [texts[3], "水車は川のそば。\n" * 3]
    return [{"id": str(n), "text": text, "labels": {"language": "en"}} for n, text in enumerate(texts)]


def test_the_first_copy_is_the_corpus_and_each_is_made_again_alike():
    rows = corpus()
    made = EditedText(rows)
    assert list(made.copy(0)) == [(f"0/{row['id']}", row["text"].encode()) for row in rows]
    assert list(made.copy(5)) == list(EditedText(rows).copy(5)) != list(made.copy(6))


def test_a_copy_has_the_duplicates_and_frequencies_of_the_corpus_but_not_its_shingles():
    made = EditedText(corpus())
    (first, other) = ([text.decode().split() for _, text in made.copy(number)] for number in (0, 1))
    assert other[3] == other[30] != first[3]
    counts = [Counter(word for text in texts for word in text) for texts in (first, other)]
    assert sorted(counts[0].values()) == sorted(counts[1].values())
    shingles = [{tuple(text[i : i + 5]) for text in texts for i in range(len(text) - 4)} for texts in (first, other)]
    assert len(shingles[0] & shingles[1]) < 0.2 * len(shingles[0])


def test_files_hold_as_much_text_as_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.edited_text.FILE_BYTES", 20_000)
    made = EditedText(corpus()).write(tmp_path / "text", 0.09)
    lines = [
        orjson.loads(line) for path in sorted((tmp_path / "text").iterdir()) for line in path.read_bytes().splitlines()
    ]
    assert sum(len(line["text"].encode()) for line in lines) == made["bytes"] >= 90_000
    assert len({line["id"] for line in lines}) == len(lines) == made["documents"]
