import pytest
from bounds import edges

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.settings import Settings, read_settings
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
