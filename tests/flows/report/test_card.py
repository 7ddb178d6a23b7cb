"""The dataset card, read by the libraries it is written for."""

import re

import datasets
import pytest
from corpora import documents, write_jsonl
from huggingface_hub import DatasetCard
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report.card import card, size_category
from gristmill.flows.report.html import report

STEPS = {"language": {}, "c4": {"min_sentences": 2}, "fineweb": {}, "pii": {}, "exact": {}}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A run with a card beside it, over sources whose names are no names."""
    folder = tmp_path_factory.mktemp("card")
    rows = [row | {"source": "a | b\n# <script>" if row["source"] == "crawl-0" else "b"} for row in documents()]
    raw = write_jsonl(folder / "raw.jsonl", rows)
    work = UPath(folder / "work")
    recipe = {"name": "mill", "about": "A test: ``` # no heading", "input": {"paths": [str(raw)]}, "steps": STEPS}
    clean(parse_recipe(recipe, "test"), work)
    card(work, work / "README.md", "cc-by-4.0")
    return work


@pytest.fixture(autouse=True)
def caches(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path))
    datasets.disable_progress_bars()


def test_the_hub_reads_its_header(work):
    data = DatasetCard.load(str(work / "README.md")).data
    assert data.license == "cc-by-4.0" and data.pretty_name == "mill"
    assert data.language == ["en"] and data.task_categories == ["text-generation"]
    assert data.size_categories == ["n<1K"]


def test_datasets_loads_the_clean_documents_by_it(work, tmp_path):
    by_card = datasets.load_dataset(str(work), split="train", cache_dir=str(tmp_path / "a"))
    files = {"train": str(work / "clean" / "*.parquet")}
    by_files = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "b"))
    counts = re.search(r"^([\d,]+) documents", (work / "README.md").read_text("utf-8"), re.MULTILINE)
    assert by_card["id"][:] == by_files["id"][:] and len(by_card) == int(counts[1].replace(",", ""))
    assert by_card.column_names == ["id", "text", "source", "stars", "tags", "language", "language_probability"]


def test_its_tables_are_whole(work):
    """Names from the corpus break out of no cell: every row of a table has as many as its head."""
    text = (work / "README.md").read_text("utf-8")
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert len(tables) >= 5
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
    assert "<script>" not in text.partition("## Recipe")[0]
    assert re.findall("^#.*", text.partition("## Recipe")[0], re.MULTILINE)[0] == "# mill"


def test_backticks_in_a_recipe_do_not_end_it(work):
    recipe = (work / "README.md").read_text("utf-8").partition("## Recipe\n\n")[2]
    assert recipe.startswith("````json\n") and "A test: ```" in recipe.partition("\n````\n")[0]


def test_it_tells_what_was_not_done(work):
    text = (work / "README.md").read_text("utf-8")
    assert "Not searched for. A model trained on this text may have seen" in text
    assert "Not searched for: street_address, person." in text
    assert "will have been missed, and all of the types that were not searched for." in text
    assert "Only exact copies were removed" in text and "Offensive text was not filtered" in text


@pytest.mark.parametrize(
    ("steps", "said", "unsaid"),
    [
        ({"pii": {"types": ["ip", "email"]}}, ["2 IP addresses were left", "Not searched for: url_credentials"], []),
        ({"pii": {"address_scope": "all"}}, ["Not searched for: street_address, person."], ["addresses were left"]),
        ({"pii": {"types": ["+person", "+street_address"]}}, ["2 IP addresses were left"], ["Not searched for: "]),
        ({"exact": {}}, ["the recipe has no step for it"], ["addresses were left"]),
    ],
)
def test_card_and_report_say_what_was_not_searched_for(tmp_path, steps, said, unsaid):
    texts = ["Set the gateway to 10.20.30.140, or to 10.20.30.141.", "The last login was from 10.20.30.140."]
    raw = write_jsonl(tmp_path / "raw.jsonl", [{"id": str(i), "text": text} for i, text in enumerate(texts)])
    work = UPath(tmp_path / "work")
    clean(parse_recipe({"input": {"paths": [str(raw)]}, "steps": steps}, "test"), work)
    card(work, work / "README.md", "unknown")
    section = (work / "README.md").read_text("utf-8").partition("## Personal data")[2].partition("## Benchmarks")[0]
    assert all(each in section for each in said) and not any(each in section for each in unsaid)
    report(work, work / "report.html")
    page = (work / "report.html").read_text("utf-8")
    assert ("IP addresses were left" in page) is ("IP addresses were left" in section)
    whole = steps.get("pii", {}).get("types") == ["+person", "+street_address"]
    assert ("Personal data not searched for: " in page) is not whole


def test_the_same_folder_gives_the_same_bytes(work, tmp_path):
    for name in ("a", "b"):
        card(work, UPath(tmp_path / name), "unknown")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert str(work.parent) not in (tmp_path / "a").read_text("utf-8")


@pytest.mark.parametrize(("documents", "word"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (10**11, "100B<n<1T")])
def test_sizes_are_the_hubs_words(documents, word):
    assert size_category(documents) == word
