"""Languages on guessed profiles, in the report and in the card."""

import re

import pytest
from corpora import write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report.card import card
from gristmill.flows.report.html import report
from gristmill.flows.report.ledger import read_ledger
from gristmill.flows.report.rules import guessed
from gristmill.flows.runs.finished import FinishedRun

TEXTS = {
    "en": "The mill by the river turns grain into flour, and people have made bread of it for many years.",
    "sw": "Watu wote wamezaliwa huru; hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri, "
    "hivyo yapasa watendeane kindugu.",
    "ms": "Semua manusia dilahirkan bebas dan samarata dari segi kemuliaan dan hak-hak. "
    "Mereka mempunyai pemikiran dan perasaan.",
}
GOPHER = {"min_words": 5}
OWN = {"sw": {"min_words": 4}}
LANGUAGE = {"confident_probability": 0.0}


@pytest.mark.parametrize(
    ("steps", "languages"),
    [
        ({"language": LANGUAGE, "gopher": GOPHER}, [("ms", 3, "id"), ("sw", 2, "neutral")]),
        ({"language": LANGUAGE, "gopher": GOPHER | {"profiles": OWN}}, [("ms", 3, "id")]),
        ({"language": LANGUAGE, "gopher": {"use_profiles": False}}, []),
        ({"language": LANGUAGE, "exact": {}}, []),
        ({"language": {"confident_probability": 1.0}, "gopher": {}}, []),
        ({"gopher": {}}, []),
    ],
)
def test_languages_without_a_profile_of_their_own_are_named(tmp_path, steps, languages):
    counts = {"en": 2, "sw": 2, "ms": 3}
    rows = [{"id": f"{name}-{k}", "text": TEXTS[name]} for name, n in counts.items() for k in range(n)]
    raw = write_jsonl(tmp_path / "raw.jsonl", rows)
    work = UPath(tmp_path / "work")
    clean(parse_recipe({"input": {"paths": [str(raw)]}, "steps": steps}, "test"), work)
    run = FinishedRun(work)
    found = guessed(run, read_ledger(run))
    assert [(row["language"], row["documents"], row["profile"]) for row in found] == languages
    report(work, work / "report.html")
    page = re.sub("<[^>]*>", " ", (work / "report.html").read_text("utf-8"))
    assert ("Languages on guessed profiles" in page) is bool(languages)
    card(work, work / "README.md", "unknown")
    names = ", ".join(name for name, *_ in languages)
    said = f"for {sum(n for _, n, _ in languages)} documents in {names}." if languages else "Thresholds are guessed"
    assert (said in (work / "README.md").read_text("utf-8")) is bool(languages)
