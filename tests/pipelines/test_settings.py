import pytest

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings, read_settings


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


def test_whole_numbers_are_numbers_too():
    assert read_settings(Outer, {"ratio": 1}, "r.toml").ratio == 1.0


def test_off_is_how_toml_says_none():
    assert read_settings(Outer, {"min_words": "off"}, "r.toml").min_words is None
    with pytest.raises(RecipeError, match="ratio: Input should be a valid number, found 'off'"):
        read_settings(Outer, {"ratio": "off"}, "r.toml")
