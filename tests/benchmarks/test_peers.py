import json

import pytest

from benchmarks.harness import run
from benchmarks.sides import PEERS, theirs

pytestmark = pytest.mark.skipif(not PEERS.exists(), reason="the peers are not installed; `make peers` does it")

PROSE = """\
The mill of our village turned with the water that came down from the hills in spring.
In dry summers nobody could grind anything, so people carried their grain across two valleys.
Old Martin had dressed those stones for forty years, and he taught his granddaughter how.
She kept a book with every sack, its owner, its weight and what had to be paid for it.
When the railway arrived, flour became cheap and most families stopped coming altogether.
Only the wheel remains today, half sunk between willows, where children like to climb.
"""


@pytest.mark.parametrize(
    ("word", "how", "kept"),
    [
        ("heck", "every", {"repetition": 1, "gopher": 1, "c4": 1, "fineweb": 1, "keywords": 2, "all": 1}),
        ("heck", "chain", {"repetition": 1, "gopher": 1, "c4": 1, "fineweb": 1, "keywords": 1, "all": 1}),
        ("railway", "every", {"repetition": 1, "gopher": 1, "c4": 1, "fineweb": 1, "keywords": 1, "all": 0}),
    ],
)
def test_datatrove_filters_are_those_asked_for(tmp_path, word, how, kept):
    (tmp_path / "words").write_text(f"{word}\n")
    rows = [{"id": "a", "text": PROSE}, {"id": "b", "text": "too short"}]
    (tmp_path / "documents").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = run(theirs("datatrove_rules", tmp_path / "documents", tmp_path / "words", how)).said
    assert said["kept"] == kept
    assert (said["documents"], said["bytes"]) == (2, len(PROSE) + len("too short")) and said["cpu"] > 0


def test_spacy_splits_words(tmp_path):
    (tmp_path / "documents").write_text(json.dumps({"id": "a", "text": "Don't, said\n\nhe."}) + "\n")
    assert run(theirs("spacy_words", tmp_path / "documents")).said["words"] == 6
