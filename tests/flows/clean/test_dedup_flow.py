"""Duplicates by document, passage and dataset, as runs: what goes and stays, and that how it was run does not show."""

import json
import random
import time
import xml.dom.minidom

import polars as pl
import pytest
from corpora import tree, write_jsonl

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.runs.clusters import find_cluster, word_diff
from gristmill.flows.runs.contamination import by_benchmark
from gristmill.flows.runs.overlap import find_overlap
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import InputError, RecipeError, WorkError
from gristmill.pipelines.storage import shards
from gristmill.pipelines.storage.files import to_path
from tests.flows.clean.test_kill import start

MENU = "Home | News | Sport | Contact | Imprint | About us"
RESULTS = ("documents", "rejects", "steps", "links", "copies", "clean", "removed", "ledger")
STEPS = {"exact": {}, "near_duplicates": {"threshold": 0.7}, "repeated_passages": {}}


def words(seed, count, vocabulary=3000):
    rng = random.Random(seed)
    return [f"w{rng.randrange(vocabulary)}" for _ in range(count)]


def page(seed, source, edits=0):
    """A page of some 200 words, of which the last few are its own where it is an edited copy."""
    text = words(seed, 200)
    if edits:
        text[-edits:] = words((seed, edits, source).__repr__(), edits)
    lines = [" ".join(text[i : i + 20]) for i in range(0, 200, 20)]
    return {"id": f"{source}-{seed}-{edits}", "text": "\n".join([MENU, *lines]), "source": source}


def pages():
    """60 pages of two sources: 10 whole copies, 10 that differ in 4 words, 10 in 120; all under one menu."""
    rows = [page(seed, "a") for seed in range(30)] + [page(seed, "b") for seed in range(10)]
    return rows + [page(seed, "b", 4) for seed in range(10, 20)] + [page(seed, "b", 120) for seed in range(20, 30)]


def run(work, steps, *inputs, workers=1, columns=(), **settings):
    table = {"input": {"paths": list(map(str, inputs)), **settings}, "steps": steps}
    table["output"] = {"columns": list(columns)}
    with engine("processes", workers) as run:
        return clean(parse_recipe(table, "test"), to_path(work), run)


def rows(work, folder="ledger"):
    return pl.read_parquet(work / folder / "*.parquet").sort("id")


def test_each_kind_of_copy_goes_by_its_step(tmp_path):
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages())
    summary = run(tmp_path / "work", STEPS, tmp_path / "raw")
    assert {name: step["removed"] for name, step in summary["steps"].items()} == {
        "exact": 10,
        "near_duplicates": 10,
        "repeated_passages": 0,
    }
    gone = rows(tmp_path / "work").filter(~pl.col("kept"))
    for row in gone.iter_rows(named=True):
        assert row["duplicate_of"].split("-")[1] == row["id"].split("-")[1] and row["similarity"] >= 0.7
    kept = rows(tmp_path / "work", "clean")
    assert sum(MENU in text for text in kept["text"]) == 1


def test_a_duplicate_names_a_kept_document_through_all_steps(tmp_path):
    """Copy = twin goes by exact, twin by near; then a rule removes a page of more than 250 words that has a copy."""
    twin = {**page(1, "a"), "id": "twin"}
    longer = {**page(1, "a"), "id": "longer", "text": page(1, "a")["text"] + " and a few more words"}
    gone = {**page(2, "a"), "id": "gone", "text": page(2, "a")["text"] + " end" * 90}
    pages = [twin, twin | {"id": "zwin"}, longer, gone, page(2, "a") | {"id": "left"}, page(3, "a") | {"id": "only"}]
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages)
    later = {"gopher": {"max_words": 250, "min_words": 1, "min_stop_words": 0, "min_stop_word_ratio": "off"}}
    run(tmp_path / "work", {"exact": {}, "near_duplicates": {"threshold": 0.6}} | later, tmp_path / "raw")
    named = {row["id"]: (row["duplicate_of"], row["duplicate_neighbor"]) for row in rows(tmp_path / "work").to_dicts()}
    expected = {"twin": ("longer", "longer"), "zwin": ("longer", "twin"), "left": (None, "gone")}
    assert named == expected | dict.fromkeys(("longer", "gone", "only"), (None, None))
    assert set(rows(tmp_path / "work", "clean")["id"]) == {"longer", "only"}
    members = find_cluster(to_path(tmp_path / "work"), "near_duplicates", "zwin")
    assert [(member.id, member.duplicate_neighbor) for member in members] == [
        ("longer", None), ("twin", "longer"), ("zwin", "twin"),
    ]  # fmt: skip


COLUMNS = ("cluster_size", "copy_sources")


def test_clean_documents_have_the_size_and_the_sources_of_their_cluster(tmp_path):
    """A chain counts once for the document at its end, and a column of the input with our name is renamed."""
    twin, longer = {**page(1, "a"), "id": "twin"}, page(1, "b")["text"] + " and a few more words"
    rows_in = [
        twin,
        twin | {"id": "zwin", "source": "c"},
        page(1, "b") | {"id": "longer", "text": longer},
        page(3, "a"),
    ]
    write_jsonl(tmp_path / "raw" / "0.jsonl", [row | {"cluster_size": row["id"]} for row in rows_in])
    steps = {"exact": {}, "near_duplicates": {"threshold": 0.6}}
    run(tmp_path / "work", steps, tmp_path / "raw")
    before = tree(tmp_path / "work", "removed", "ledger")
    assert rows(tmp_path / "work", "clean").columns == ["id", "text", "source", "cluster_size"]
    run(tmp_path / "work", steps, tmp_path / "raw", columns=COLUMNS)
    assert tree(tmp_path / "work", "removed", "ledger") == before
    kept = rows(tmp_path / "work", "clean").drop("text")
    assert kept.columns == ["id", "source", "input.cluster_size", *COLUMNS]
    assert kept.rows() == [("a-3-0", "a", "a-3-0", 1, []), ("longer", "b", "longer", 3, ["a", "c"])]
    run(tmp_path / "work", steps, tmp_path / "raw", columns=COLUMNS[1:])
    assert rows(tmp_path / "work", "clean").columns == ["id", "text", "source", "cluster_size", "copy_sources"]
    assert rows(tmp_path / "work", "clean")["cluster_size"].to_list() == ["a-3-0", "longer"]


@pytest.mark.parametrize(
    ("steps", "names", "complaint"),
    [
        (STEPS, ["cluster"], r"\[output\] columns: no step provides 'cluster'; did you mean 'cluster_size'"),
        ({"gopher": {}}, ["cluster_size"], "no step provides 'cluster_size'; add a step that does"),
        (STEPS, "cluster_size", "columns"),
        (STEPS, [1], "columns.0"),
    ],
)
def test_a_column_that_no_step_provides_is_one_line(steps, names, complaint):
    with pytest.raises(RecipeError, match=complaint):
        parse_recipe({"steps": steps, "output": {"columns": names}}, "test")


@pytest.mark.parametrize(("exact", "near"), [("all", "copies"), ("copies", "all"), ("all", "all")])
def test_groups_go_whole_and_no_removed_document_names_one(tmp_path, exact, near):
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages())
    steps = {"exact": {"drop": exact}, "near_duplicates": {"threshold": 0.7, "drop": near}}
    run(tmp_path / "work", steps, tmp_path / "raw", columns=COLUMNS)
    kept, ledger = rows(tmp_path / "work", "clean"), rows(tmp_path / "work")
    seeds = {id: int(id.split("-")[1]) for id in ledger["id"]}
    whole = {seed for seed in range(20) if (exact if seed < 10 else near) == "all"}  # exact copies are below 10
    assert {seeds[id] for id in kept["id"]} == set(range(30)) - whole
    assert set(ledger["duplicate_of"].drop_nulls()) <= set(kept["id"])
    gone = ledger.filter(~pl.col("kept"))
    assert gone["duplicate_neighbor"].null_count() == 0
    assert {seeds[id] for id in gone.filter(pl.col("id") == pl.col("duplicate_neighbor"))["id"]} == whole
    assert {seeds[id] for id in gone.filter(pl.col("duplicate_of").is_null())["id"]} == whole
    assert dict(kept.select("id", "cluster_size").iter_rows()) == {id: 2 if seeds[id] < 20 else 1 for id in kept["id"]}


def test_neither_workers_nor_files_nor_order_matter(tmp_path):
    write_jsonl(tmp_path / "one" / "0.jsonl", pages())
    shuffled = pages()
    random.Random(3).shuffle(shuffled)
    for k in range(4):
        write_jsonl(tmp_path / "four" / f"{9 - k}.jsonl", shuffled[k::4])
    asked = [{"id": str(i), "question": " ".join(words(i, 200)[5:30])} for i in (3, 25)]
    quiz = {"against": [str(write_jsonl(tmp_path / "quiz.jsonl", asked))], "action": "cut"}
    steps = STEPS | {"decontaminate": quiz}
    run(tmp_path / "work", steps, tmp_path / "one", columns=COLUMNS)
    run(tmp_path / "again", steps, tmp_path / "four", columns=COLUMNS, work_unit_bytes=20_000)
    run(tmp_path / "two", steps, tmp_path / "four", columns=COLUMNS, work_unit_bytes=20_000, workers=2)
    assert rows(tmp_path / "two", "steps/decontaminate/found")["item"].to_list() == [
        "3",
        "25",
    ]  # a copy each: the lines of the others are cut
    assert tree(tmp_path / "again", *RESULTS) == tree(tmp_path / "two", *RESULTS)
    for folder in ("clean", "removed", "ledger", "steps/near_duplicates/clusters", "steps/decontaminate/found"):
        assert rows(tmp_path / "work", folder).equals(rows(tmp_path / "two", folder))


CUTS = [
    {"repeated_passages": {"window": 2}},
    {"repeated_passages": {"near_threshold": 0.6, "memory_mb": 64}},
    {"substrings": {"length": 20, "memory_mb": 1}},
]


@pytest.mark.parametrize("steps", CUTS)
def test_neither_workers_nor_files_nor_order_show_in_what_is_cut(tmp_path, steps):
    write_jsonl(tmp_path / "one" / "0.jsonl", pages())
    shuffled = pages()
    random.Random(4).shuffle(shuffled)
    for k in range(3):
        write_jsonl(tmp_path / "three" / f"{9 - k}.jsonl", shuffled[k::3])
    summary = run(tmp_path / "work", steps, tmp_path / "one")
    run(tmp_path / "again", steps, tmp_path / "three", work_unit_bytes=20_000)
    run(tmp_path / "two", steps, tmp_path / "three", work_unit_bytes=20_000, workers=2)
    assert summary["removed"] >= 10  # whole copies are cut to nothing
    assert tree(tmp_path / "again", *RESULTS) == tree(tmp_path / "two", *RESULTS)
    for folder in ("clean", "removed", "ledger", f"steps/{next(iter(steps))}/found"):
        once, again = (rows(tmp_path / work, folder) for work in ("work", "two"))
        assert once.sort(once.columns[:3]).equals(again.sort(again.columns[:3]))


def test_nearly_alike_lines_are_cut_and_say_who_keeps_theirs(tmp_path):
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages())
    for near, lines in ((None, 0), (0.6, 10)):
        run(
            tmp_path / "work",
            {"exact": {}, "repeated_passages": {} if near is None else {"near_threshold": near}},
            tmp_path / "raw",
        )
        found = rows(tmp_path / "work", "steps/repeated_passages/found").filter(pl.col("similarity") < 1)
        assert len(found) == lines and (found["similarity"] >= 0.6).all()  # of ten pages the last line was edited
        assert (found["kept_in"].str.split("-").list.get(1) == found["id"].str.split("-").list.get(1)).all()


KILLED = {
    "document and sentence": (
        "[steps.exact]\n[steps.near_duplicates]\nthreshold = 0.7\n[steps.repeated_passages]\nnear_threshold = 0.6\n",
        ("exact/measures", "near_duplicates/decisions", "repeated_passages/measures", "repeated_passages/decisions"),
    ),
    "substring": (
        "[steps.substrings]\nlength = 20\nmemory_mb = 1\n",
        ("substrings/measures", "substrings/decisions", "substrings/found"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("level", KILLED)
def test_killed_at_any_step_and_started_again(tmp_path, gristmill, level):
    recipe, steps = KILLED[level]
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages())
    (tmp_path / "recipe.toml").write_text(recipe)
    command = ["clean", tmp_path / "recipe.toml", "--input", tmp_path / "raw", "--workers", 2]
    command += ["--set", "input.work_unit_bytes=20000"]
    assert gristmill(*command, "--output", tmp_path / "whole").returncode == 0
    work, killed = tmp_path / "killed", 0
    for step in steps:
        process = start([*command, "--output", work])
        while process.poll() is None and not (work / "steps" / step).exists():
            time.sleep(0.002)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed >= len(steps) - 1
    again = gristmill(*command, "--output", work)
    assert again.returncode == 0, again.stderr
    assert tree(work, *RESULTS) == tree(tmp_path / "whole", *RESULTS)


def test_a_cluster_shows_its_members_and_what_differs(tmp_path):
    write_jsonl(tmp_path / "raw" / "0.jsonl", pages())
    run(tmp_path / "work", STEPS, tmp_path / "raw")
    members = find_cluster(to_path(tmp_path / "work"), "near_duplicates", "b-12-4")
    first = next(member for member in members if member.duplicate_of is None)
    (other,) = (member for member in members if member.duplicate_of)
    assert {first.id, other.id} == {"a-12-0", "b-12-4"} and other.duplicate_of == first.id
    pieces = list(word_diff(first.text, other.text))
    assert "".join(text for sign, text in pieces if sign != "-") == other.text
    assert "".join(text for sign, text in pieces if sign != "+") == first.text
    assert sum(len(text.split()) for sign, text in pieces if sign == "+") <= 4
    copies = find_cluster(to_path(tmp_path / "work"), "near_duplicates", "b-3-0")  # removed as an exact copy
    told = [(member.id, member.duplicate_neighbor, member.similarity, member.containment) for member in copies]
    assert told == [("a-3-0", None, None, None), ("b-3-0", "a-3-0", 1.0, 1.0)]
    assert find_cluster(to_path(tmp_path / "work"), "near_duplicates", "a-3-0") == copies
    with pytest.raises(WorkError, match="has no duplicate in"):
        find_cluster(to_path(tmp_path / "work"), "near_duplicates", "a-29-0")


def test_a_cluster_is_read_from_row_groups_that_lack_its_members(tmp_path, monkeypatch):
    monkeypatch.setattr(shards.cut_groups, "__defaults__", (1,))  # a group for each document, as above 8 MB of text
    write_jsonl(tmp_path / "raw" / "0.jsonl", [page(seed, "a") for seed in range(5)] + [page(2, "b")])
    run(tmp_path / "work", STEPS, tmp_path / "raw")
    assert shards.group_rows(next(to_path(tmp_path / "work" / "documents").glob("*.parquet"))) == [1] * 6
    members = find_cluster(to_path(tmp_path / "work"), "near_duplicates", "b-2-0")
    assert [(member.id, member.text) for member in members] == [(f"{s}-2-0", page(2, s)["text"]) for s in "ab"]


@pytest.mark.slow
def test_commands_from_raw_files_to_clusters(tmp_path, gristmill):
    evil = [page(1, "a"), {**page(1, "b", 4), "id": "b\x1b[31m"}]
    evil[1]["text"] += " \x1b]0;title\x07"
    write_jsonl(tmp_path / "a.jsonl", evil)
    write_jsonl(tmp_path / "b.jsonl", [page(1, "c"), page(2, "c")])
    done = gristmill("dedup", "a.jsonl", "--save-index", "idx", "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0 and "near_duplicate" in done.stdout, done.stderr
    shown = gristmill("duplicates", "work", "a-1-0", cwd=tmp_path)
    assert "duplicate of" in shown.stdout and "{+" in shown.stdout and "\x1b" not in shown.stdout
    assert len(json.loads(gristmill("duplicates", "work", "a-1-0", "--json", cwd=tmp_path).stdout)) == 2
    done = gristmill(
        "dedup", "a.jsonl", "b.jsonl", "--level", "sentence", "--workers", 1, "--output", "w3", cwd=tmp_path
    )
    assert f"4           4  {MENU}" in done.stdout, done.stderr
    for arguments in (["--against-index", "idx"], ["--level", "dataset", "--against", "a.jsonl"]):
        done = gristmill("dedup", "b.jsonl", *arguments, "--workers", 1, "--output", "w2", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert rows(tmp_path / "w2")["duplicate_of"].drop_nulls().len() == 1
    assert gristmill("dedup", "b.jsonl", "--against", "a.jsonl", cwd=tmp_path).returncode == 2


def test_decontaminate_from_raw_files_to_the_report(tmp_path, gristmill):
    question = "How many loaves does the miller bake of nine sacks if each sack gives eleven loaves of bread?"
    write_jsonl(tmp_path / "quiz.jsonl", [{"id": "q1", "question": question}, {"id": "q2", "question": "Why?"}])
    write_jsonl(tmp_path / "a.jsonl", [page(1, "a"), {"id": "bad", "text": page(2, "a")["text"] + "\n" + question}])
    command = ["decontaminate", "a.jsonl", "--against", tmp_path / "quiz.jsonl", "--workers", 1]
    done = gristmill(*command, cwd=tmp_path)
    assert done.returncode == 0 and " quiz" in done.stdout, done.stderr
    assert by_benchmark(to_path(tmp_path / "work"), "decontaminate").rows() == [("quiz", 2, 1, 1, 1)]
    assert rows(tmp_path / "work").filter(~pl.col("kept"))["id"].to_list() == ["bad"]
    assert what_if(to_path(tmp_path / "work"), ("decontaminate.threshold=1.0",))[1]["clean"] == 1
    assert gristmill(*command, "--action", "cut", cwd=tmp_path).returncode == 0
    assert question not in "".join(rows(tmp_path / "work", "clean")["text"])
    assert len(rows(tmp_path / "work", "clean")) == 2


def test_overlap_is_told_drawn_and_escaped(tmp_path, gristmill):
    sources = {"a": "<b>&", "b": "\x1b[31mred"}
    write_jsonl(tmp_path / "raw" / "0.jsonl", [row | {"source": sources[row["source"]]} for row in pages()])
    command = ["overlap", "raw", "--threshold", 0.7, "--workers", 1]
    done = gristmill(*command, "--plot", "o.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "<b>&" in done.stdout and "\\x1b[31mred" in done.stdout and "\x1b" not in done.stdout
    drawn = (tmp_path / "o.svg").read_text()
    assert "&lt;b&gt;&amp;" in drawn and "\x1b" not in drawn
    assert xml.dom.minidom.parseString(drawn).getElementsByTagName("rect").length == 4
    told = json.loads(gristmill(*command, "--json", cwd=tmp_path).stdout)
    of_b = {row["kind"]: row["documents"] for row in told["shared"] if row["source"] == sources["b"]}
    assert of_b == {"exact": 10, "near": 20} and [row["documents"] for row in told["sources"]] == [30, 30]


def test_without_documents_or_what_to_go_by_it_ends_well(tmp_path):
    write_jsonl(tmp_path / "raw" / "0.jsonl", [{"no": "text"}])
    write_jsonl(tmp_path / "quiz.jsonl", [{"question": "Why is the sky blue at noon?"}])
    steps = STEPS | {"decontaminate": {"against": [str(tmp_path / "quiz.jsonl")], "action": "cut"}}
    summary = run(tmp_path / "work", steps, tmp_path / "raw", max_reject_fraction=1.0)
    assert (summary["rejects"], summary["clean"]) == (1, 0)
    assert by_benchmark(to_path(tmp_path / "work"), "decontaminate").is_empty()
    shared = find_overlap([str(tmp_path / "raw")], to_path(tmp_path / "o"), None, ["input.max_reject_fraction=1.0"])
    assert [frame.height for frame in shared] == [0, 0]
    for name, step in (
        ("decontaminate", {"against": ["nowhere.jsonl"]}),
        ("near_duplicates", {"against": ["nowhere"]}),
    ):
        with pytest.raises((InputError, WorkError), match="nowhere"):
            run(tmp_path / name, {name: step}, tmp_path / "raw")
        assert not (tmp_path / name).exists()
    with pytest.raises(RecipeError, match="has no evaluation sets"):
        run(tmp_path / "work", {"decontaminate": {}}, tmp_path / "raw")
