"""Mutations: which tokens change, which are left alone, and that tests kill mutants in a copy of the tree."""

import json
import subprocess
from collections import Counter

import pytest
from click.testing import CliRunner

from tools import mutate
from tools.mutant_reach import Place, place_of
from tools.mutations import Mutation, mutations


def news(source):
    """The changed sources, all on one line."""
    return [mutation.apply(source) for mutation in mutations(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", ["x = a <= b", "x = a >= b"]),
        ("x = a not in b", ["x = a in b"]),
        ("x = a is not b", ["x = a is b"]),
        ("x = (a) and (b)", ["x = (a) or (b)"]),
        ("x = not a", ["x = a"]),
        ("x = min(a, b)", ["x = max(a, b)"]),
        ("x = a // b", ["x = a * b"]),
        ("x += a", ["x -= a"]),
        ("x <<= a", ["x >>= a"]),
        ("x = a[3]", ["x = a[2]", "x = a[4]"]),
        ("x = a[0]", ["x = a[1]"]),
        ("x = 0.5", ["x = 0.55"]),
        ("x = 2**-a", ["x = 2*-a", "x = 1**-a", "x = 3**-a"]),
        ("x = y**-23", ["x = y*-23", "x = y**-30"]),
        ("x = 'é' < b", ["x = 'é' <= b", "x = 'é' >= b"]),
        ("x = a < b == c", ["x = a <= b == c", "x = a >= b == c", "x = a < b != c"]),
    ],
)
def test_one_token_changes(source, expected):
    assert sorted(news(source)) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of 3 lines."""',
        "x = f'{3} is {a < b}'",
        "def f(x: Literal[1] = None) -> Literal[2]:\n    return x",
        "@njit(3)\ndef f():\n    return x",
        "if TYPE_CHECKING:\n    x = 3",
        "if __name__ == '__main__':\n    x = 3",
        "option(help='3' + a)",
        "log.info('%d', 3)",
        "raise ValueError(x + 3)",
        "x = 1048576  # 3",
        "x = True",
        f"TABLE = {[*range(20)]}",
    ],
)
def test_what_no_result_shows_is_left_alone(source):
    assert news(source) == []


LENGTH = """LIMIT = 3


def is_long(text):
    return len(text) > LIMIT


def unused(a):
    return a + 5
"""


@pytest.fixture
def project(tmp_path):
    """A repository of one room with one file and two tests, one of it."""
    files = {
        "gristmill/__init__.py": "",
        "pipelines/__init__.py": "",
        "pipelines/sources.py": (mutate.REPOSITORY / "pipelines/sources.py").read_text("utf-8"),
        "filters/__init__.py": "",
        "filters/rules/__init__.py": "",
        "filters/rules/length.py": LENGTH,
        "tests/filters/rules/test_length.py": (
            "from gristmill.filters.rules.length import is_long\n\n\n"
            "def test_it():\n    assert is_long('four') and not is_long('abc')\n"
        ),
        "tests/filters/test_other.py": "def test_other():\n    assert True\n",
        "pytest.ini": "[pytest]\nmarkers =\n    slow: slow\n    flow: flow\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def test_tests_kill_mutants_of_what_they_test_and_of_nothing_else(project, tmp_path_factory):
    before, kept = (project / "filters/rules/length.py").read_bytes(), tmp_path_factory.mktemp("kept")
    mutants = mutate.draw(project, "filters", 40, 0)
    assert len(mutants) == 4 and mutants == mutate.draw(project, "filters", 40, 0)
    status = {
        outcome.mutant.mutation.start[0]: outcome.status
        for outcome in mutate.run_room(project, "filters", mutants, 2, kept)
    }
    assert status == {1: "killed", 5: "killed", 9: "survived"}
    assert (project / "filters/rules/length.py").read_bytes() == before
    records = map(json.loads, (kept / "filters-mutants.jsonl").read_text().splitlines())
    ran = {(each["change"][0][0], each["tests"]) for each in records}
    assert ran == {(1, 1), (5, 1), (9, 0)}  # one that does not reach the file is not run


def test_a_run_goes_on_with_what_was_not_killed(project, tmp_path_factory):
    kept = tmp_path_factory.mktemp("kept")
    mutants = mutate.draw(project, "filters", 40, 0)
    first = list(mutate.run_room(project, "filters", mutants, 1, kept))
    with (project / "tests/filters/rules/test_length.py").open("a") as file:
        file.write(
            "\n\ndef test_more():\n    from gristmill.filters.rules.length import unused\n\n    assert unused(1) == 6\n"
        )
    second = list(mutate.run_room(project, "filters", mutants, 1, kept))
    assert {each.status for each in second} == {"killed"} and {each.mutant for each in second} == set(mutants)
    assert {each for each in first if each.status == "killed"} < set(second)
    assert len((kept / "filters-tests.jsonl").read_text().splitlines()) == 3


def test_an_endless_mutant_is_stopped(project, monkeypatch):
    monkeypatch.setattr(mutate, "GRACE", (1, 1))
    (project / "filters/rules/length.py").write_text("def step():\n    return 1\n")
    (project / "tests/filters/rules/test_length.py").write_text(
        "from gristmill.filters.rules.length import step\n\n\n"
        "def test_step():\n    at = 0\n    while at < 3:\n        at += step()\n"
    )
    endless = mutate.Mutant("filters/rules/length.py", Mutation((2, 11), (2, 12), "1", "0"))
    assert [each.status for each in mutate.run_room(project, "filters", [endless], 1)] == ["timeout"]


def test_failing_tests_are_shown(project):
    (project / "tests/filters/rules/test_length.py").write_text("def test_it():\n    assert 'odd' == 'even'\n")
    with pytest.raises(mutate.click.ClickException, match="odd"):
        list(mutate.run_room(project, "filters", mutate.draw(project, "filters", 1, 0), 1))


SOURCE = """x = 1
@kernel
def f(
    a=2,
): return a + 3
class C:
    @property
    def g(self):
        def inner():
            return 4
        return inner
    y = 5
if x:
    def h(): return 6
"""


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("1", None),
        ("2", None),
        ("3", Place(2, "f", range(5, 6), True, False)),
        ("4", Place(7, "C.g", range(9, 12), False, True)),
        ("5", None),
        ("6", Place(14, "h", range(14, 15), False, False)),
    ],
)
def test_the_function_around_a_mutation(number, place):
    (mutation, *_) = (each for each in mutations(SOURCE) if each.old == number)
    assert place_of(SOURCE, mutation) == place


def test_a_mutation_that_nothing_can_show_is_not_drawn(project):
    (project / "tools").mkdir()
    (project / "tools/equivalent_mutants.toml").write_text(
        '[[mutant]]\nfile = "filters/rules/length.py"\nold = "return a + 5"\nnew = "return a - 5"\nwhy = "unused"\n'
    )
    assert "return a - 5" not in {mutant.lines(project)[1] for mutant in mutate.draw(project, "filters", 40, 0)}


def test_a_change_of_code_changes_the_draw_in_its_own_lines_only(project):
    file = project / "filters/rules/length.py"
    file.write_text("".join(f"A{k} = {k} + {k} < 30 * 9\n" for k in range(20)))

    def lines(seed=0):
        return [each.lines(project) for each in mutate.draw(project, "filters", 30, seed)]

    before = lines()
    assert before != lines(seed=1)
    file.write_text("B = 3 + 4\n" + file.read_text().replace("A7 = ", "A77 = "))
    (project / "filters/first.py").write_text("C = 3 + 4\n")
    after = [line for line in lines() if line[0].startswith("A") and "7 = " not in line[0]]
    assert len(after) > 20 and after == [line for line in before if "7 = " not in line[0]][: len(after)]


def test_places_are_drawn_with_equal_chance(project):
    (project / "filters/rules/length.py").write_text("x = a[0] < b - 3\n")  # places of 1, 2, 1 and 2 changes
    drawn = [mutate.draw(project, "filters", 1, seed)[0].mutation for seed in range(400)]
    places, changes = Counter(each.start for each in drawn), Counter(drawn)
    assert len(places) == 4 and min(places.values()) > 70 and len(changes) == 6 and min(changes.values()) > 30


def test_the_command_lists_mutants_of_one_file():
    arguments = ["pipelines", "--list", "--count", "3", "--only", "pipelines/ragged.py"]
    done = CliRunner().invoke(mutate.main, arguments)
    assert done.exit_code == 0 and done.output.count("pipelines/ragged.py") == 3


def test_listed_equivalents_are_lines_that_stand():
    for file, old, _ in mutate.known_equivalents(mutate.REPOSITORY):
        assert old in [line.strip() for line in (mutate.REPOSITORY / file).read_text("utf-8").splitlines()], (file, old)
