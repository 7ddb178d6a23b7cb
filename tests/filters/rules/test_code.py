"""Code: its counts, the documents that it recognizes, and one file on each side of each threshold."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import code as reference

from gristmill.filters.core.batch import Batch, name_columns
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.measure import measure_documents, rewrite_batch
from gristmill.filters.core.profiles import profile_of
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.code import Code, is_source_name
from gristmill.filters.text.code_lines import count_code_lines
from gristmill.filters.text.code_shape import measure_shape
from gristmill.filters.text.lines import split_lines
from gristmill.flows.clean.recipe import read_recipe
from gristmill.pipelines.ragged import Ragged

PARTS = [
    *(
        "call(",
        "word(s)",
        "(",
        ")",
        ";",
        "{",
        "}",
        "):",
        "=",
        "==",
        "===",
        "!=",
        "+=",
        "=>",
        "->",
        "::",
        ":",
        "&&",
        "||",
    ),
    *("&", "|", "$", "$x", "${", "$5", "x", "_", "7", "#", "//", "/*", "* ", "*", "--", "-", "\\x41", "\\xag", "0x1F"),
    *("12", "1e5", "dead", "deadbeef", "de4d", "00e9", "é", "漢", " ", "\t", "\n", "\x0b", "\x85", "\x00"),
    *("word", "it's", "a-b", ",", '",', "],"),
    *("a" * 63, "A1+/=" * 13, "b" * 64, "c" * 32),
]
TEXT = st.lists(st.sampled_from(PARTS), max_size=30).map("".join) | st.lists(st.sampled_from(PARTS)).map(" ".join)
TEXTS = st.lists(TEXT | st.text(), max_size=4)


def bytewise(text):
    return text.encode().decode("latin-1")


@given(TEXTS)
@example(["x = 1", "= 1", "x =", "a=>b", "=> b", "a => b", "x==y", "x===y", "a && b", "&& b", "f(s)", "f(s", "f(s))"])
@example(
    ["if x):", "::", "a::b", "->", "p->q", "$", "$a", "$1", "}", "} x", "x }", "# x = 1;", "*p = 1;", "* p = 1;", "*"]
)
@example([".menu {", "@media x {", "color: red;", "-x:;", ":;", "a: b {", "A: b;", "return;", "co2: x;", ". }"])
def test_lines_of_code_are_counted_as_by_the_reference(texts):
    ragged = Ragged.from_strings(texts)
    counts = np.array(count_code_lines(ragged, split_lines(ragged))).T.tolist()
    lines = [[bytewise(line.strip(" \t")) for line in text.splitlines()] for text in texts]
    assert counts == [list(reference.code_lines(each)) for each in lines]


@given(TEXTS, st.data())
@example(["\\x41", "x41", "\\x4", "\\x411", "1", "abcd", "abc1", "ab1", "A" * 63 + "1", "A" * 64, "A" * 62 + "1"], None)
def test_the_shape_is_measured_as_by_the_reference(texts, data):
    ragged = Ragged.from_strings(texts)
    every = st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))
    wanted = np.array(data.draw(every) if data else [True] * len(texts), bool)
    counts = np.array(measure_shape(ragged, split_lines(ragged), wanted)).T.tolist()
    longest = [max((len(line.encode()) for line in text.splitlines()), default=0) for text in texts]
    shapes = [[*reference.shape(bytewise(text)), size] for text, size in zip(texts, longest, strict=True)]
    assert counts == [shape if want else [0] * 5 for shape, want in zip(shapes, wanted, strict=True)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("src/main.rs", True),
        ("MAIN.C", True),
        ("src/main.rs:0", True),
        ("doc/guide.rst.gz", True),
        ("Makefile", True),
        ("src/Makefile", True),
        ("a.tar.gz", False),
        ("main.rs.txt", False),
        ("rs", False),
        ("c:7", False),
        ("notmakefile", False),
        ("crawl/page.html:3", False),
        ("table.json", False),
        ("https://www.onet.pl", False),
        ("www.onet.pl", False),
        ("", False),
    ],
)
def test_names_of_source_files(name, code):
    assert is_source_name(Ragged.from_strings([name])).tolist() == [code]


PROSE = "The mill turns by the river, and it makes flour of grain.\n" * 12
PYTHON = (
    "def mill(grain):\n    return grain\n\n\nflour = mill(3)\nprint(flour)\n" * 3
)  # 12 lines but blank ones, 9 of code


def labels(step=None, language="en", **columns):
    table = pa.table(columns)
    batch = Batch.of(table, "unicode")
    batch.language = None if language is None else np.array([language] * len(table), object)
    return (step or Code()).measure(batch)["label"].to_list()


def test_a_carried_column_names_the_file_or_else_the_id():
    texts = [PROSE] * 3
    assert labels(id=["a.py", "b", "c"], text=texts) == ["code", "en", "en"]
    assert labels(id=["a.py", "b", "c.py"], text=texts, path=["a.txt", "b.go", None]) == ["en", "code", "code"]
    assert labels(id=["a", "b", "c"], text=texts, ext=["py", "txt", "rs"]) == ["code", "en", "code"]
    assert labels(id=["a", "b", "c"], text=texts, path=[1, 2, 3]) == ["en"] * 3  # no text: of another kind
    assert labels(Code(by_name=False), id=["a.py", "b", "c"], text=texts) == ["en"] * 3
    assert labels(text=texts) == ["en"] * 3
    assert labels(language=None, id=["a", "b.c", "c"], text=texts) == ["und", "code", "und"]
    assert name_columns(pa.schema([("path", pa.string()), ("ext", pa.int64()), ("text", pa.string())])) == ["path"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (PYTHON, True),
        (PROSE, False),
        ("", False),
        ("flour = mill(1);\n" * 10, True),
        ("flour = mill(1);\n" * 9, False),  # too few lines
        ("flour = mill(1);\n" * 9 + "// comment\n" * 9, False),
        ("flour = mill(1);\n" * 10 + "words and words\n" * 15, True),
        ("flour = mill(1);\n" * 10 + "words and words\n" * 16, False),
        ("the son of Isaac;\n" * 12, False),  # verse
        ("son of Isaac;\n" * 12, True),  # three words may be a declaration
        ("a son, begat Isaac;\n" * 12, False),
        ("static const char *son_of_isaac;\n" * 12, True),
        ('"flour",\n' * 12, True),  # a list
        ("flour,\n" * 12, False),
        ("flour = mill(1);\n" * 4 + "some words\n" * 6 + "}\n" * 12, True),  # lone braces are not counted
        ("flour = mill(1);\n" * 4 + "some words\n" * 5 + "}\n" * 12, False),  # too few lines without them
        (".menu {\nmargin: 0 auto\n}\n" * 12, False),  # CSS
        ("<p>flour = mill(1);</p>\n" * 12, False),  # a page
        ("@ = %(_);\n" * 12, False),  # symbols
    ],
)
def test_code_is_recognized_by_its_lines(text, code):
    assert labels(id=["x"], text=[text]) == ["code" if code else "en"]


def lines(size, *, of="ab "):
    return "x = '" + (of * size)[: size - 8] + "';\n"


@pytest.mark.parametrize(
    ("rule", "kept", "broken"),
    [
        ("longest_line", PYTHON + lines(1001), PYTHON + lines(1002)),  # with the line end
        ("mean_line", lines(100) * 2, lines(100) + lines(101)),
        ("alphanumeric", "ab{};{};", "ab{};{};;"),
        ("numbers", "abcdefg 123", "abcdef 123"),  # 3 of 10 bytes, of 9
        ("encoded", "1" + "Ab" * 32 + " xyz" * 22, "1" + "Ab" * 32 + " xyz" * 21),  # 65 of 131, of 128
        ("generated", "# The exception that is generated by f()\n", "# Generated by Django 3.2\n"),
        ("generated", "# edit this file\n", "// Code generated by protoc-gen-go.\n"),
        ("generated", "#" * 1000 + "\n# do not edit\n", "#" * 980 + "\n# do not edit\n"),  # at the head
    ],
)
def test_each_rule_on_both_sides_of_its_line(rule, kept, broken):
    table = pa.table({"id": ["a.py", "b.py", "c.txt"], "text": [kept, broken, broken]})
    frame = measure_documents({"code": Code(min_code_lines=1)}, table)["code"]
    rows = decide(Code(), frame, profile_of(frame["label"].to_numpy())).to_list()
    assert [f"{rule}_too_{'low' if rule == 'alphanumeric' else 'high'}" in map(rule_of, row) for row in rows] == [
        *(False, True, False)  # prose breaks no rule of code
    ]


def rule_of(reason):
    return reason["rule"]


def test_blank_files_and_prose_have_neutral_measures():
    neutral = {"longest_line": 0, "mean_line": 0, "alphanumeric": 1, "numbers": 0, "encoded": 0, "generated": 0}
    table = pa.table({"id": ["a.py", "b.py", "c"], "text": ["", "\n \n", PROSE]})
    rows = measure_documents({"code": Code()}, table)["code"].select(*neutral).to_dicts()
    assert rows == [neutral, neutral | {"longest_line": 1, "mean_line": 1.5}, neutral]


def test_steps_that_remove_lines_leave_code_as_it_is():
    text = "Home\nNews\nContact\nImprint\n\n" + PROSE
    for ids, rewritten in ((["a.py", "a"], {1}), (["a", "a.py"], {0}), (["a.py", "b.py"], set()), (["a", "b"], {0, 1})):
        batch = Batch.of(pa.table({"id": ids, "text": [text, text]}), "unicode")
        batch.language = Code().measure(batch)["label"].to_numpy()
        assert set(rewrite_batch("c4", C4(), batch)[0]["row"].to_pylist()) == rewritten
        assert set(rewrite_batch("c4", C4(use_profiles=False), batch)[0]["row"].to_pylist()) == {0, 1}
    code = C4().for_profile("code")
    assert code.keeps_text
    assert not C4(profiles={"code": {"keeps_text": False}}).for_profile("code").keeps_text
    assert C4().measured_settings()["keep_text"] == ["code"] != C4(use_profiles=False).measured_settings()["keep_text"]


def test_the_shipped_recipe_keeps_ordinary_files_whole_and_drops_the_others():
    recipe = read_recipe("clean-corpus")
    steps = {name: step for name, step in recipe.steps.items() if isinstance(step, Filter)}
    files = {
        "mill.py": "def mill(grain):\n    if grain.wet():\n        raise ValueError\n    return [*map(crush, grain)]\n",
        "mill.c": "#include <mill.h>\n\nint\nmain(void)\n{\n\tputs(grain, stream);\n\n\tfree(it);\n\treturn 0;\n}\n",
        "min.js": "var a=function(b){return b+1};" * 60,
        "data.py": "X = [\n" + "    0x41, 0x42, 0x43, 17, 18,\n" * 40 + "]\n",
        "made.go": "// Code generated by stringer; DO NOT EDIT.\n\npackage mill\n\nfunc f(x int) int {\n\treturn x\n}\n"
        * 3,
    }
    table = pa.table({"id": [*files], "text": [*files.values()]})
    frames = measure_documents(steps, table)
    profile = profile_of(frames["code"]["label"].to_numpy())
    broken = {name: set() for name in files}
    for name, step in steps.items():
        for file, reasons in zip(files, decide(step, frames[name], profile).to_list(), strict=True):
            broken[file] |= {f"{name}.{reason['rule']}" for reason in reasons}
    assert broken.pop("mill.py") == broken.pop("mill.c") == set()
    assert {file: {rule for rule in rules if rule.startswith("code.")} for file, rules in broken.items()} == {
        "min.js": {"code.longest_line_too_high", "code.mean_line_too_high"},
        "data.py": {"code.numbers_too_high"},
        "made.go": {"code.generated_too_high"},
    }
