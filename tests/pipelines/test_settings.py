from pathlib import Path, PureWindowsPath

import pytest
from bounds import edges
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.settings import Settings, check_names, read_settings
from gristmill.pipelines.tokens.settings import TokenSettings


class Inner(Settings):
    depth: int = 1


class Outer(Settings):
    min_words: int | None = 50
    ratio: float = 0.1
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"min_word": 3}, "r.toml: no setting 'min_word'; did you mean 'min_words'?"),
        ({"min_words": "x"}, "r.toml: min_words: Input should be a valid integer, found 'x'"),
        ({"min_words": 1.5}, "r.toml: min_words: Input should be a valid integer, found 1.5"),
        ({"ratio": float("nan")}, "r.toml: ratio: Input should be a finite number, found nan"),
        ({"inner": {"dept": 1}}, "r.toml: no setting 'inner.dept'; did you mean 'depth'?"),
        ({"zzz": 1}, "r.toml: no setting 'zzz'; there is inner, min_words, ratio"),
        (3, "r.toml: expected a table of settings, found 3"),
    ],
)
def test_a_mistake_is_one_line_that_names_place_finding_and_remedy(values, complaint):
    with pytest.raises(RecipeError) as error:
        read_settings(Outer, values, "r.toml")
    assert str(error.value) == complaint


@pytest.mark.parametrize("names", [[], ["c4"], ["near_duplicates", "C4-again", "-", "_", "0"], ["x" * 64], ["a", "b"]])
def test_names_that_are_folders(names):
    check_names(names, "r.toml")


FOLDER = Path("/corpus/steps")
UNSAFE = [
    "",
    ".",
    "..",
    "../x",
    "/x",
    "a/b",
    "a\\b",
    "a.b",
    "a b",
    "a:b",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "\u202ea",
    "é",
    "x" * 65,
]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_is_no_folder_is_one_line(name):
    with pytest.raises(RecipeError) as error:
        check_names(["c4", name], "r.toml [steps]")
    known = "r.toml [steps]: a name is 1 to 64 of the letters A-Z and a-z, digits, '_' and '-', found "
    assert str(error.value) == known + repr(name) and str(error.value).isprintable()


def test_a_name_without_end_is_shortened():
    with pytest.raises(RecipeError) as error:
        check_names(["../" * 10_000], "r.toml")
    assert len(str(error.value)) < 300


def test_two_names_are_two_folders_where_case_is_ignored():
    with pytest.raises(RecipeError, match="the names 'c4' and 'C4' differ only in case; choose another for one"):
        check_names(["c4", "exact", "C4"], "r.toml")


@given(st.text(max_size=8))
def test_a_name_that_is_allowed_is_a_folder_in_its_folder(name):
    try:
        check_names([name], "r.toml")
    except RecipeError:
        return
    assert (FOLDER / name).resolve().parent == FOLDER and PureWindowsPath(name).name == name


def test_whole_numbers_are_numbers_too():
    assert read_settings(Outer, {"ratio": 1}, "r.toml").ratio == 1.0


def test_off_is_how_toml_says_none():
    assert read_settings(Outer, {"min_words": "off"}, "r.toml").min_words is None
    with pytest.raises(RecipeError, match="ratio: Input should be a valid number, found 'off'"):
        read_settings(Outer, {"ratio": "off"}, "r.toml")


@pytest.mark.parametrize(
    ("kind", "name", "allowed", "refused"),
    [(kind, *edge) for kind in (InputSettings, TokenSettings) for edge in edges(kind)],
)
def test_each_setting_is_allowed_up_to_its_bound_and_no_further(kind, name, allowed, refused):
    assert getattr(read_settings(kind, {name: allowed}, "r.toml"), name) == allowed
    with pytest.raises(RecipeError, match=f"{name}: Input should be"):
        read_settings(kind, {name: refused}, "r.toml")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"weights": {"web": 1.0, "books": 0.0}}, None),
        ({"weights": {"web": -0.1}}, "weights.web: Input should be greater"),
        ({"weights": {"web": 1.1}}, "weights.web: Input should be less"),
        ({"weights": {"web": 0.6, "books": 0.5}}, "weights add up to 1.1, expected at most 1"),
        ({"epochs": {"web": 0.0, "books": 1000.0}}, None),
        ({"epochs": {"web": -0.1}}, "epochs.web: Input should be greater"),
        ({"epochs": {"web": 1000.1}}, "epochs.web: Input should be less"),
        ({"weights": {"web": 0.5}, "epochs": {"web": 2.0}}, "'web' has both a weight and epochs"),
    ],
)
def test_shares_and_epochs_of_sources_are_bounded(values, complaint):
    if complaint is None:
        assert read_settings(TokenSettings, values, "r.toml")
    else:
        with pytest.raises(RecipeError, match=complaint):
            read_settings(TokenSettings, values, "r.toml")
