"""Profiles of a corpus, from raw files to the recipe that reads them."""

import json
import random
import re
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from corpora import tree, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.gopher import Gopher
from gristmill.flows.clean.recipe import parse_recipe, read_recipe
from gristmill.flows.engine.engines import engine
from gristmill.flows.profile import make
from gristmill.flows.profile.labeled import label_documents
from gristmill.flows.profile.make import (
    CORPUS,
    REFERENCE,
    LanguageProfile,
    ProfileSettings,
    check_languages,
    find_profiles,
)
from gristmill.flows.profile.toml import render, write_profiles
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import to_path

VOCABULARY = {
    "en": "the mill by a river turns grain into flour and people have made bread of it for many years with water",
    "de": "die Mühle am Fluss mahlt das Korn zu Mehl und die Leute backen daraus seit Jahren mit Wasser ihr Brot",
    "sw": "kinu kando ya mto husaga nafaka kuwa unga na watu wametengeneza mkate kwa miaka mingi kwa maji ya mto huo",
}
REPOSITORY = Path(__file__).resolve().parents[3]
STEPS = {"language": {}, "code": {}, "gopher": {}, "repetition": {}, "fineweb": {}}
FEW = ProfileSettings(min_documents=10)


def sentences(language: str, rng: random.Random, count: int) -> str:
    words = VOCABULARY[language].split()
    return " ".join(" ".join(rng.choices(words, k=rng.randint(8, 16))).capitalize() + "." for _ in range(count))


def texts(language: str, count: int, seed: int = 1) -> list[dict]:
    rng = random.Random(f"{language} {seed}")
    return [
        {
            "id": f"{language}-{seed}-{k}",
            "text": "\n".join(sentences(language, rng, rng.randint(3, 5)) for _ in range(3)),
        }
        for k in range(count)
    ]


def recipe(**steps):
    return parse_recipe({"name": "test", "steps": STEPS | steps}, "test")


def profiles(folder, corpus, reference=(), languages=(), settings=FEW, plan=None, **options):
    """Write rows to files, label them and return the profiles, by language."""
    plan, labeled = plan or recipe(), {}
    for kind, rows in ((CORPUS, corpus), (REFERENCE, reference)):
        if rows:
            raw = write_jsonl(folder / f"{kind}.jsonl", rows)
            labeled[kind] = label_documents([str(raw)], to_path(folder / "work" / kind), plan, **options)
    found = find_profiles(plan, labeled, check_languages([*languages], labeled), settings)
    return {profile.language: profile for profile in found}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    return profiles(folder, texts("en", 30) + texts("sw", 12), texts("sw", 20, 2) + texts("en", 9, 2))


def test_each_language_with_enough_documents_has_a_profile(both):
    """Nine English documents of the reference are too few. Documents of unlikely language give no threshold."""
    assert {name: each.source for name, each in both.items()} == {"en": CORPUS, "sw": REFERENCE}
    assert 10 <= both["sw"].sampled < 20 and 10 <= both["en"].sampled <= 30
    assert both["sw"].documents == {CORPUS: 12, REFERENCE: 20}
    assert {"ya", "mto", "na"} <= {*both["sw"].stop_words} and "the" in both["en"].stop_words


def test_a_file_says_what_its_thresholds_remove(both):
    text = render(both["sw"])
    table = tomllib.loads(text)
    assert table["languages"] == ["sw"] and table["stop_words"] == both["sw"].stop_words
    for each in both["sw"].thresholds:
        assert table[each.filter][each.setting] == each.value
        assert f"{each.setting} = {each.value}" in text
    assert f"# From {both['sw'].sampled} documents of the reference in sw." in text
    assert 3.5 < table["gopher"]["min_word_length"] < table["gopher"]["max_word_length"] < 7
    assert 0 < table["gopher"]["min_stop_word_ratio"] <= 1


def test_a_recipe_reads_the_files_that_are_written(both, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "fa.toml").write_text('languages = ["fa"]')
    assert write_profiles([*both.values()], to_path("profiles")) == ["fa"]
    gopher = read_recipe("clean-corpus", profiles=("profiles",)).steps["gopher"]
    assert gopher.stop_words_of("sw") == both["sw"].stop_words != gopher.stop_words_of("am") == Gopher().stop_words
    assert gopher.for_profile("sw").max_word_length < gopher.for_profile("am").max_word_length == 15.0


@pytest.mark.parametrize(("count", "names"), [(10, ["sw"]), (9, [])])
def test_a_language_with_too_few_documents_has_none(tmp_path, count, names):
    assert [*profiles(tmp_path, texts("sw", count))] == names


def test_shards_order_and_workers_change_nothing(tmp_path):
    rows = texts("sw", 40) + texts("en", 30)
    one = profiles(tmp_path / "one", rows, settings=ProfileSettings(min_documents=10, sample=15))
    random.Random(4).shuffle(rows)
    for k in range(3):
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows[k::3])
    plan = recipe()
    with engine("threads", 2) as threads:
        labeled = {CORPUS: label_documents([str(tmp_path / "raw")], to_path(tmp_path / "three"), plan, threads)}
    found = find_profiles(plan, labeled, check_languages([], labeled), ProfileSettings(min_documents=10, sample=15))
    assert [*map(render, found)] == [render(one[each.language]) for each in found] and len(found) == 2
    assert {each.sampled for each in found} == {15}


def test_a_second_run_reads_no_document_again(tmp_path):
    class Jobs:
        ran = 0

        def start(self, title, jobs, size):
            Jobs.ran += jobs

        def advance(self, *_): ...

        move = finish = advance

    raw, work = write_jsonl(tmp_path / "raw.jsonl", texts("sw", 12)), to_path(tmp_path / "work")
    label_documents([str(raw)], work, recipe(), progress=Jobs())
    before, ran = tree(work, "documents", "steps"), Jobs.ran
    for steps in ({}, {"gopher": {"min_words": 9}}):
        label_documents([str(raw)], work, recipe(**steps), progress=Jobs())
        assert Jobs.ran == ran > 0 and tree(work, "documents", "steps") == before


def test_source_code_is_no_language(tmp_path):
    code = [{"id": f"src/{k}.c", "text": "int main(void) {\n  return the_mill;\n}\n" * 20} for k in range(30)]
    assert [*profiles(tmp_path, texts("sw", 12) + code)] == ["sw"]


def test_junk_is_removed_and_text_stays(tmp_path):
    """Words that are no stop words, and German taken for Swahili."""
    found = profiles(tmp_path, texts("sw", 80))["sw"]
    (tmp_path / "sw.toml").write_text(render(found))
    gopher = parse_recipe({"profiles": [str(tmp_path / "sw.toml")], "steps": STEPS}, "test").steps["gopher"]
    salad = [{"text": "\n".join(" ".join(f"mto{a}ni{b}" for b in range(9)) + "." for a in range(9))}]
    for rows, removed in ((texts("sw", 80, 5), 0), (texts("de", 20), 20), (salad, 1)):
        batch = Batch(Ragged.from_strings([row["text"] for row in rows]), np.full(len(rows), "sw"))
        broken = decide(gopher, gopher.measure(batch), gopher.profile_of(batch.language, len(rows)))
        assert (broken.list.len() > 0).sum() == removed


@pytest.mark.parametrize(("shipped", "kept"), [(0.9, False), (1.0, True)])
def test_shipped_stop_words_stay_where_they_have_as_much_power(tmp_path, monkeypatch, shipped, kept):
    """German has a shipped list, Swahili has none."""

    def power(step, language, frame):
        return 1.0 if "stop_words" in step.profiles.get(language, {}) else shipped

    monkeypatch.setattr(make, "power", power)
    found = profiles(tmp_path, texts("de", 30) + texts("sw", 12))
    assert (found["de"].stop_words == []) is kept and found["sw"].stop_words
    ratios = [each.value for each in found["de"].thresholds if each.setting == "min_stop_word_ratio"]
    assert ratios and ("stop_words" in render(found["de"]).partition("[gopher]")[0]) is not kept


def test_only_the_named_languages(tmp_path):
    assert [*profiles(tmp_path, texts("sw", 12) + texts("en", 15), languages=["sw"])] == ["sw"]


@pytest.mark.parametrize(
    ("languages", "complaint"), [(["am"], r"no document in 'am'; the documents are in sw 12; give a label")]
)
def test_a_language_without_documents_is_a_mistake(tmp_path, languages, complaint):
    with pytest.raises(InputError, match=complaint):
        profiles(tmp_path, texts("sw", 12), languages=languages)


def test_a_label_of_a_model_is_no_path():
    """A fastText model has any labels that its author likes."""
    documents = SimpleNamespace(probabilities={"../../sw": 3, "sw": 4}, of=lambda name: 5)
    assert check_languages([], {CORPUS: documents}) == ["sw"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
def test_stop_words_are_read_as_they_were_written(words):
    profile = LanguageProfile("sw", {CORPUS: 9}, CORPUS, 9, words, [], {CORPUS: 0.0})
    assert tomllib.loads(render(profile)).get("stop_words", []) == words


def test_a_corpus_without_documents_is_a_mistake(tmp_path):
    (tmp_path / "empty.jsonl").write_text("")
    plan = parse_recipe({"input": {"max_reject_fraction": 1.0}, "steps": STEPS}, "test")
    with pytest.raises(InputError, match=r"empty\.jsonl: no documents, so no thresholds can be found"):
        label_documents([str(tmp_path / "empty.jsonl")], to_path(tmp_path / "work"), plan)


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ({"gopher": {}}, "test has no language step"),
        ({"language": {}, "exact": {}}, "test has no step whose thresholds"),
        ({"language": {}, "gopher": {"use_profiles": False}}, "test has no step whose thresholds"),
    ],
)
def test_a_recipe_that_uses_no_profile_is_a_mistake(tmp_path, steps, complaint):
    plan = parse_recipe({"name": "test", "steps": steps}, "test")
    with pytest.raises(RecipeError, match=complaint):
        profiles(tmp_path, texts("sw", 12), plan=plan)


@pytest.mark.slow
def test_the_page_about_profiles_runs_as_printed(tmp_path, gristmill):
    write_jsonl(tmp_path / "crawl" / "0.jsonl", texts("sw", 30) + texts("en", 30))
    write_jsonl(tmp_path / "wikipedia" / "0.jsonl", texts("sw", 60, 2))
    page = (REPOSITORY / "docs" / "language-profiles.md").read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for line in block.splitlines():
        done = gristmill(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert {"sw.toml"} <= {path.name for path in (tmp_path / "profiles").iterdir()}
    kept = json.loads((tmp_path / "work" / "summary.json").read_bytes())["clean"]
    again = gristmill("profile", "work", "--min-documents", 10, "--work", "labels", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert 0 < kept < 60 and f" {kept} documents" in again.stderr  # a finished work folder stands for its clean/


def test_the_command_explains_each_language(tmp_path, gristmill):
    raw = write_jsonl(tmp_path / "raw.jsonl", texts("en", 30) + texts("sw", 12) + texts("de", 3))
    arguments = "profile", raw, "--min-documents", 12, "--workers", 1
    done = gristmill(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sw: documents corpus 12; thresholds from 12 of the corpus" in done.stdout
    assert "gopher.max_word_length" in done.stdout and "stop words: " in done.stdout
    assert "No profile, fewer than 12 documents of likely language: de 3" in done.stderr
    assert sorted(path.name for path in (tmp_path / "profiles").iterdir()) == ["en.toml", "sw.toml"]
    rows = [json.loads(line) for line in gristmill(*arguments, "--json", cwd=tmp_path).stdout.splitlines()]
    assert [row["language"] for row in rows] == ["en", "sw"] and rows[0]["thresholds"][0]["removes"]
    clean = gristmill("clean", "clean-corpus", "--input", raw, "--profiles", "profiles", "--workers", 1, cwd=tmp_path)
    assert clean.returncode == 0, clean.stderr
    steps = json.loads((tmp_path / "work" / "recipe.json").read_bytes())["steps"]
    assert {*steps["gopher"]["profiles"]} == {"en", "sw"}
    wrong = gristmill(*arguments, "--language", "am", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "no document in 'am'" in wrong.stderr
