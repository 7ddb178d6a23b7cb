"""Steps of a user's code: loaded by a recipe, measured anew when their source changes, opened without their code."""

import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint

import orjson
import pytest
from corpora import write_jsonl
from upath import UPath

import gristmill as gm
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.report.html import report
from gristmill.flows.runs.explain import explain
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.status import status
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines import plugins
from gristmill.pipelines.errors import PluginError, RecipeError
from tests.flows.clean.conftest import SHOUTY


def test_a_filter_in_a_file_is_like_ours(mill):
    mill.run()
    assert mill.reasons() == {"loud": "shouty.exclamations_too_high"}
    assert explain(mill.work, "loud")["measures"] == {"shouty": {"exclamations": 0.2}}
    now, then = what_if(mill.work, ("shouty.max_exclamations=0.5",))
    assert (now["clean"], then["clean"]) == (2, 3)
    with pytest.raises(RecipeError, match=r"max_exclamations: Input should be less than or equal to 1, found 1.5"):
        mill.read("shouty.max_exclamations=1.5")
    thresholds = Thresholds(RunIndex(mill.work))
    assert list(thresholds.adjustable) == ["shouty.exclamations_too_high"]
    moved = ("shouty.max_exclamations=0.5",)
    assert thresholds.what_if(moved)["newly_kept"] == 1
    exported = recipe_toml(thresholds.recipe(moved), moved)
    assert f'use = "{mill.folder}/my_filters.py:Shouty"' in exported and "max_exclamations = 0.5" in exported
    report(mill.work, UPath(mill.folder / "report.html"))
    page = (mill.folder / "report.html").read_text()
    record = thresholds.recipe(()).steps["shouty"].RECORD
    assert "Drops documents that shout." in page and record.sha256 not in page and str(mill.folder) not in page


def test_a_threshold_measures_nothing_and_the_source_measures_that_step_alone(mill):
    mill.recipe('[steps.fineweb]\n[steps.shouty]\nuse = "my_filters.py:Shouty"\n[steps.gopher]\n')
    assert "measure shard part-00000-000 ['fineweb', 'gopher', 'shouty']" in mill.run()
    assert not any(title.startswith("measure") for title in mill.run("shouty.max_exclamations=0.3"))
    assert mill.run("shouty.max_exclamations=0.3") == []
    mill.code(SHOUTY.replace('"!"', '"."'))
    again = mill.run("shouty.max_exclamations=0.3")
    assert [title for title in again if title.startswith("measure")] == ["measure shard part-00000-000 ['shouty']"]
    assert explain(mill.work, "quiet")["measures"]["shouty"] == {"exclamations": 2 / 35}


def test_opening_a_work_folder_runs_no_code(mill):
    mill.run()
    ran = mill.folder / "ran"
    mill.code(f"open({str(ran)!r}, 'w')\n" + SHOUTY)
    FinishedRun(mill.work), what_if(mill.work, ("shouty.max_exclamations=0.5",)), explain(mill.work, "loud")
    Thresholds(RunIndex(mill.work)).what_if(())
    assert {folder.state for folder in status(mill.work).folders} == {"finished"}
    assert not ran.exists()
    (mill.folder / "my_filters.py").unlink()
    report(mill.work, UPath(mill.folder / "report.html"))
    with pytest.raises(RecipeError, match=r"my_filters.py:Shouty, and opening a work folder loads no code"):
        clean(FinishedRun(mill.work).recipe, mill.work)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('return {"exclamations": 1 / len(doc.text)}', "ZeroDivisionError: division by zero (my_filters.py, line 11)"),
        ("next(iter(doc.text)); return {'exclamations': 0}", "StopIteration: "),
        ('return {"exclamations": None} if not doc.text else {"exclamations": 1}', "is None, expected a finite number"),
        ('return {"exclamations": 0.0 if doc.text else float("nan")}', "is nan, expected a finite number"),
        ('return {"exclamations": 0.0 if doc.text else "0"}', "is '0', expected a finite number"),
        ('return {"exclamations": 0.0} if doc.text else {}', "returned {}, expected a dict of measures"),
        ('return {"exclamations": 0.0} | ({} if doc.text else {"b": 1})', "measures exclamations, b, expected exclam"),
        ('return {"exclamations": 0.0, "kind": "a" if doc.text else 1}', "kind is 1, expected text"),
        ('return {"exclamations": 0.0, "kind": "a" if doc.text else "\\ud800"}', "expected text"),
    ],
)
def test_a_fault_names_the_document_and_stops_or_rejects(mill, body, fault):
    mill.code(SHOUTY.replace('return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}', body))
    with pytest.raises(PluginError) as error:
        mill.run()
    assert str(error.value).startswith("[steps.shouty] fails on document 'empty': ") and fault in str(error.value)
    assert "\n" not in str(error.value)
    mill.run('shouty.on_error="reject"')
    assert mill.reasons()["empty"] == "shouty.failed"
    assert fault in explain(mill.work, "empty")["measures"]["shouty"]["fault"]
    assert what_if(mill.work, ("shouty.max_exclamations=1.0",))[1]["steps"]["shouty"]["rules"]["failed"]["removed"] == 1
    RunIndex(mill.work)
    report(mill.work, UPath(mill.folder / "report.html"))


def test_a_measure_that_reads_a_threshold_is_refused(mill):
    mill.code(SHOUTY.replace('doc.text.count("!")', "self.max_exclamations"))
    with pytest.raises(PluginError, match=r'reads max_exclamations, .* MEASURED = \("max_exclamations",\)'):
        mill.run()
    mill.code(
        SHOUTY.replace('doc.text.count("!")', "self.max_exclamations").replace(
            "    max_ex", '    MEASURED = ("max_exclamations",)\n    max_ex'
        )
    )
    mill.run()
    assert "measure shard part-00000-000 ['shouty']" in mill.run("shouty.max_exclamations=0.5")
    with pytest.raises(RecipeError, match="needs new measures"):
        what_if(mill.work, ("shouty.max_exclamations=0.1",))


LANGUAGE = """
import gristmill as gm


class Tongue(gm.Filter):
    PROVIDES = {"language": "label"}

    def measure(self, doc):
        assert doc.language is None
        return {"label": "de" if "quiet" in doc.text else "en"}


class Facts(gm.Filter):
    NEEDS = ("language",)

    def measure(self, doc):
        return {"facts": f"{doc.id} {doc.name} {doc.language}", "size": len(doc.text)}
"""


def test_a_document_has_its_id_its_name_and_its_language(mill):
    """A filter of a user may itself give the language to later steps; one without rules only measures."""
    mill.code(LANGUAGE)
    mill.recipe('[steps.tongue]\nuse = "my_filters.py:Tongue"\n[steps.facts]\nuse = "my_filters.py:Facts"\n')
    mill.run()
    assert explain(mill.work, "quiet")["measures"]["facts"] == {"facts": "quiet quiet de", "size": 35}
    assert FinishedRun(mill.work).languages("part-00000-000").to_list() == ["en", "de", "en"]
    given = gm.Document("A text.", "an id", "en")
    assert (given.text, given.id, given.language, given.name) == ("A text.", "an id", "en", "")


def test_instances_travel_with_the_text_of_their_file(mill):
    """A process that has no such file unpickles them, as a worker on another machine does."""
    mill.code(
        SHOUTY
        + "\n\nclass Inner(gm.Filter):\n    nested: Shouty = Shouty()\n    def measure(self, doc):\n        return {}\n"
    )
    mill.recipe('[steps.inner]\nuse = "my_filters.py:Inner"\n')
    (step,) = mill.read("inner.on_error=reject").steps.values()
    (mill.folder / "my_filters.py").unlink()
    sent = mill.folder / "sent"
    sent.write_bytes(pickle.dumps({"one": step, "same": [step]}))
    code = f"import pickle; print(pickle.load(open({str(sent)!r}, 'rb'))['one'].model_dump())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(step.model_dump())
    assert pickle.loads(sent.read_bytes())["one"] == step


@pytest.mark.parametrize(
    ("use", "told"),
    [
        ("my_filters.py:Shoty", "has no 'Shoty'; did you mean 'Shouty'?"),
        ("my_filters.py:gm", "expected a class derived from gm.Filter"),
        ("no_such.py:Shouty", "cannot read .*/no_such.py: No such file or directory; a path begins in the folder of"),
        ("my_filters:Shouty", "no module 'my_filters' is installed; to name a file, add its suffix"),
        ("shoty", "no step 'shoty'; "),
        ("broken.py:Shouty", "cannot be loaded: SyntaxError: [^(]*[(]broken.py, line 2"),
        ("raises.py:Shouty", r"cannot be loaded: ZeroDivisionError: division by zero \(raises.py, line 2\)"),
        ("latin.py:Shouty", "is not UTF-8"),
        ("rules.py:Shouty", r"\[steps.shouty\]: rules\(\) returned 3; expected a dict of rules"),
        ("equal.py:Shouty", r"\[steps.shouty\]: rule 'r' compares by '=='; expected one of <, <=, >, >="),
        ("texts.py:Shouty", r"\[steps.shouty\]: rule 'r' has the threshold '2'; expected a finite number, or None"),
        (
            "bare.py:Shouty",
            r"\[steps.shouty\]: .*bare.py:Shouty has no measure; expected a method measure\(self, doc\)",
        ),
        ("fails.py:Shouty", r"\[steps.shouty\]: KeyError: 'x' \(fails.py, line 14\)"),
    ],
)
def test_code_that_cannot_be_loaded_is_one_line(mill, use, told):
    (mill.folder / "broken.py").write_text("import os\nclass\n")
    (mill.folder / "raises.py").write_text("import os\n1 / 0\n")
    (mill.folder / "latin.py").write_bytes(b"# caf\xe9\n")
    (mill.folder / "rules.py").write_text(SHOUTY.partition('return {"exclamations_too')[0] + "return 3\n")
    rules = SHOUTY.partition('return {"exclamations_too')[0]
    (mill.folder / "equal.py").write_text(rules + 'return {"r": gm.Rule("exclamations", "==", 2)}\n')
    (mill.folder / "texts.py").write_text(rules + 'return {"r": gm.Rule("exclamations", ">", "2")}\n')
    (mill.folder / "bare.py").write_text(SHOUTY.replace("def measure", "def measures"))
    (mill.folder / "fails.py").write_text(SHOUTY.partition('return {"exclamations_too')[0] + "return {}['x']\n")
    mill.recipe(f'[steps.shouty]\nuse = "{use}"\n')
    with pytest.raises(RecipeError, match=told) as error:
        mill.read()
    assert "\n" not in str(error.value)


def test_a_change_of_a_setting_names_no_code(mill):
    for change in ("shouty.use=os:system", "input.reader=os:system"):
        with pytest.raises(RecipeError, match="it names code, which only the file of a recipe may name"):
            mill.read(change)


def test_a_package_gives_steps_by_module_and_by_entry_point(mill, monkeypatch):
    (mill.folder / "shouting").mkdir()
    (mill.folder / "shouting" / "__init__.py").write_text("")
    (mill.folder / "shouting" / "rules.py").write_text(SHOUTY)
    monkeypatch.syspath_prepend(str(mill.folder))
    point = EntryPoint("shout", "shouting.rules:Shouty", "gristmill.filters")
    known = plugins.entry_points
    monkeypatch.setattr(
        plugins,
        "entry_points",
        lambda group, **name: (
            [point] if group == point.group and name.get("name", "shout") == "shout" else known(group=group, **name)
        ),
    )
    mill.recipe('[steps.shout]\n[steps.again]\nuse = "shouting.rules:Shouty"\n')
    mill.run()
    assert mill.reasons() == {"loud": "shout.exclamations_too_high"}
    table = orjson.loads((mill.folder / "work" / "recipe.json").read_bytes())
    assert [step["use"] for step in table["steps"].values()] == ["shouting.rules:Shouty"] * 2
    mill.recipe("[steps.shoot]\n")
    with pytest.raises(RecipeError, match=r"no step 'shoot'; did you mean 'shout'\?"):
        mill.read()
    pickled = pickle.dumps(parse_recipe({"steps": {"shout": {}}}, "test").steps["shout"])
    assert pickle.loads(pickled).NAME == "Shouty"
    (mill.folder / "shouting" / "rules.py").write_text(SHOUTY + "\n")
    with pytest.raises(RecipeError, match="is another version on this worker"):
        pickle.loads(pickled)
    for name in ("shouting.rules", "shouting"):
        sys.modules.pop(name, None)


CORPUS_STEP = '''
from typing import ClassVar

import numpy as np
import polars as pl

from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.decisions import violation_lists


class Longest(CorpusStep):
    """Keeps the documents with the most bytes."""

    keep: int = 1

    def measure(self, batch):
        return pl.DataFrame({"bytes": np.diff(batch.text.offsets)})

    def decide(self, corpus, scratch):
        sizes = {part: corpus.measured(part, ["bytes"])["bytes"].to_numpy() for part in corpus.parts}
        least = np.sort(np.concatenate([*sizes.values()]))[-self.keep]
        for part, size in sizes.items():
            rows = np.flatnonzero(size < least)
            found = "bytes_too_low", rows, size[rows], least
            yield ShardVerdict(part, pl.DataFrame({"violations": violation_lists(size.size, [found])}))
'''


def test_a_step_over_the_corpus_in_a_file(mill):
    mill.code(CORPUS_STEP)
    mill.recipe('[steps.longest]\nuse = "my_filters.py:Longest"\n')
    mill.run()
    assert mill.reasons() == dict.fromkeys(("loud", "empty"), "longest.bytes_too_low")
    assert mill.run() == []
    assert {folder.state for folder in status(mill.work).folders} == {"finished"}
    mill.code(CORPUS_STEP.replace("[-self.keep]", "[-2]"))
    assert [title.partition(" ")[0] for title in mill.run()][:2] == ["measure", "decide"]
    assert mill.reasons() == {"empty": "longest.bytes_too_low"}
    with pytest.raises(RecipeError, match="opening a work folder loads no code"):
        what_if(mill.work, ("longest.keep=2",))


def test_workers_are_spawned_with_the_code(mill, gristmill_process):
    write_jsonl(mill.folder / "more.jsonl", [{"text": f"Now {i}!"} for i in range(400)])
    command = [
        "clean",
        mill.folder / "recipe.toml",
        "--input",
        mill.folder / "more.jsonl",
        "--set",
        "input.work_unit_bytes=2000",
    ]
    done = gristmill_process(*command, "--output", mill.folder / "by-two", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert orjson.loads((mill.folder / "by-two" / "summary.json").read_bytes())["removed"] == 400
    mill.code(SHOUTY.replace("doc.text.count", "doc.text.cont"))
    done = gristmill_process(*command, "--output", mill.folder / "by-two", "--workers", 2)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "Error: [steps.shouty] fails on document 'more.jsonl:" in done.stderr and "line 11" in done.stderr
