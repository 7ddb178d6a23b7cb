import numpy as np
import pytest

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.keywords import Keywords
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings


@pytest.fixture
def lists(tmp_path):
    for name, terms in {"en": "Spam\n\nbuy now\n", "zh": "垃圾\n", "all": "\ufeffspam\r\nviagra\n"}.items():
        (tmp_path / name).write_bytes(terms.encode())
    return {"en": str(tmp_path / "en"), "zh": str(tmp_path / "zh"), "*": str(tmp_path / "all")}


def measure(texts, languages=None, **settings):
    language = None if languages is None else np.array(languages)
    return Keywords(**settings).measure(Batch(Ragged.from_strings(texts), language)).to_dict(as_series=False)


def test_a_document_is_searched_by_the_list_of_its_language_and_the_one_for_all(lists):
    texts = ["spam, buy now!", "这是垃圾 spam", "垃圾 buy now viagra", ""]
    found = measure(texts, ["en", "zh", "fr", "und"], lists=lists)
    assert found["hits"] == [2, 2, 1, 0]
    assert found["distinct"] == [2, 2, 1, 0]


def test_without_a_language_step_only_the_list_for_all_counts(lists):
    assert measure(["buy now, viagra spam spam"], lists=lists)["hits"] == [3]


def test_density_is_hits_a_word(lists):
    assert measure(["spam is not ham", ""], lists=lists)["density"] == [0.25, 0]


def test_no_list_no_hit():
    assert measure(["spam"]) == {"hits": [0], "distinct": [0], "density": [0.0]}


@pytest.mark.parametrize(
    ("settings", "text", "broken"),
    [
        ({"max_density": 0.25}, "spam is not ham", []),
        ({"max_density": 0.25}, "spam is ham", ["density_too_high"]),
        ({"max_density": None, "max_hits": 0}, "ham", []),
        ({"max_density": None, "max_hits": 0}, "spam", ["hits_too_high"]),
        ({"max_density": None, "max_hits": 2}, "spam spam", []),
        ({"max_density": None, "max_hits": 2}, "spam spam spam", ["hits_too_high"]),
        ({"max_density": None, "max_distinct": 1}, "spam spam", []),
        ({"max_density": None, "max_distinct": 1}, "spam viagra", ["distinct_too_high"]),
    ],
)
def test_each_rule_on_both_sides_of_its_line(lists, settings, text, broken):
    keywords = Keywords(lists={"*": lists["*"]}, **settings)
    batch = Batch(Ragged.from_strings([text]))
    (found,) = decide(keywords, keywords.measure(batch), keywords.profile_of(None, batch.text.rows)).to_list()
    assert [rule["rule"] for rule in found] == broken


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read the word list"), (b"\n \n", "holds no term"), (b"\xff", "cannot read")]
)
def test_a_list_that_cannot_be_read_is_a_mistake_in_the_recipe(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=message):
        read_settings(Keywords, {"lists": {"*": str(path)}}, "r.toml")


def test_an_edited_list_is_measured_anew(lists, tmp_path):
    before = Keywords(lists=lists).measured_settings()
    assert Keywords(lists=lists, max_hits=3).measured_settings() == before
    (tmp_path / "en").write_text("other")
    assert Keywords(lists=lists).measured_settings() != before
