import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.langid.filter import CONFIDENT_PROBABILITY, Language
from gristmill.filters.langid.labels import language_of
from gristmill.filters.langid.models import MODELS, Ensemble, load_model
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

SENTENCES = {
    "en": "The weather was fine, so we walked through the park and talked about the book.",
    "de": "Das Wetter war schön, also gingen wir durch den Park und sprachen über das Buch.",
    "fr": "Il faisait beau, alors nous avons traversé le parc en parlant du livre.",
    "ru": "Погода была хорошая, и мы гуляли по парку и говорили о книге, которую она прочитала в поезде.",
    "zh": "天气很好，我们在公园里散步，谈论那本书。",
    "ja": "天気がよかったので、公園を歩きながら本の話をしました。",
    "th": "อากาศดีเราจึงเดินเล่นในสวนและคุยกันเรื่องหนังสือ",
    "no": "Været var fint, så vi gikk gjennom parken og snakket om boken.",
}
SINGLE = [name for name in MODELS if "+" not in name]


def batch(*texts):
    return Batch(Ragged.from_strings(list(texts)))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_tells_plain_sentences_by_the_same_names(model):
    found = Language(model=model).measure(batch(*SENTENCES.values()))
    assert found["label"].to_list() == list(SENTENCES)
    assert found["probability"].min() > 0.4


@pytest.mark.parametrize("model", MODELS)
def test_a_blank_document_has_no_language(model):
    found = Language(model=model).measure(batch("", " \n\t", "\0"))
    assert found["label"].to_list() == ["und"] * 3
    assert found["probability"].to_list() == [0, 0, 0]


def test_a_declared_language_is_not_detected():
    documents = Batch(batch(SENTENCES["de"], SENTENCES["fr"], "").text, declared=np.array(["en", None, "en"], object))
    found = Language(languages=["en"]).measure(documents)
    assert found["label"].to_list() == found["confident_label"].to_list() == ["en", "fr", "en"]
    assert found["probability"].to_list()[::2] == found["allowed_probability"].to_list()[::2] == [1, 1]
    only = Language().measure(documents.part(0, 1))
    assert only["label"].to_list() == ["en"] and documents.part(1, 2).declared.tolist() == [None]


@given(texts=st.lists(st.text(), max_size=3))
@pytest.mark.parametrize("model", MODELS)
def test_any_text_has_a_label_and_a_probability(model, texts):
    found = Language(model=model).measure(batch(*texts))
    assert found["probability"].is_between(0, 1).all()
    assert ((found["label"] != "und") | (found["probability"] == 0)).all()
    assert set(found["label"]) <= {"und", *load_model(model).languages}


def test_only_allowed_languages_keep_their_probability():
    found = Language(languages=["de", "zh"]).measure(batch(*SENTENCES.values()))
    allowed = found["label"].is_in(["de", "zh"])
    assert found.filter(allowed)["allowed_probability"].equals(found.filter(allowed)["probability"], check_names=False)
    assert set(found.filter(~allowed)["allowed_probability"]) == {-1}


def test_a_language_that_is_not_allowed_goes_at_any_threshold():
    step = Language(languages=["de"], min_probability=0)
    measures = step.measure(batch(SENTENCES["de"], SENTENCES["en"], ""))
    broken = decide(step, measures, np.array([""] * 3, object)).to_list()
    assert [not each for each in broken] == [True, False, False]


@pytest.mark.parametrize(("probability", "label"), [(CONFIDENT_PROBABILITY, "en"), (0.649, "und")])
def test_later_steps_get_a_label_only_where_it_is_confident(monkeypatch, probability, label):
    monkeypatch.setattr("gristmill.filters.langid.filter.load_model", lambda name: Says("en", probability, "en"))
    assert Language().measure(batch("text"))["confident_label"].to_list() == [label]


def test_capitals_change_nothing():
    shouted = [text.upper() for text in SENTENCES.values()]
    found = Language().measure(batch(*shouted))
    assert found["label"].to_list() == list(SENTENCES)


def test_a_long_document_is_read_in_slices():
    long = "\n".join([SENTENCES["en"]] * 30 + [SENTENCES["de"]] * 300)
    assert Language(max_bytes=256).measure(batch(long))["label"].to_list() == ["de"]


@pytest.mark.parametrize(
    ("settings", "probability", "label", "stays"),
    [
        ({"min_probability": 0.5}, 0.5, "en", True),
        ({"min_probability": 0.5}, 0.49, "en", False),
        ({"min_probability": 0.5, "min_probabilities": {"zh": 0.3}}, 0.3, "zh", True),
        ({"min_probability": 0.5, "min_probabilities": {"zh": 0.3}}, 0.29, "zh", False),
        ({"min_probability": 0.5, "min_probabilities": {"zh": 0.3}}, 0.3, "en", False),
        ({"min_probability": 0.0, "min_probabilities": {"zh": 0.9}}, 0.8, "zh", False),
    ],
)
def test_the_rule_on_both_sides_of_its_line(settings, probability, label, stays):
    import polars as pl

    measures = pl.DataFrame({"label": [label], "probability": [probability], "allowed_probability": [probability]})
    (broken,) = decide(Language(**settings), measures, np.array([""], object)).to_list()
    assert (not broken) == stays
    if broken:
        own = settings.get("min_probabilities", {}).get(label, settings["min_probability"])
        assert broken == [{"rule": "probability_too_low", "value": probability, "threshold": own}]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "lid.175"}, "did you mean 'lid.176'"),
        ({"languages": ["english"]}, "no language 'english', expected ISO 639-1 codes such as 'en'"),
        ({"languages": ["qq"]}, "no language 'qq'"),
        ({"languages": ["eng"]}, "no model gives the label 'eng'; write 'en'"),
        ({"min_probabilities": {"zh-TW": 0.5}}, "no model gives the label 'zh-TW'; write 'zh'"),
        ({"min_probability": 1.5}, "less than or equal to 1"),
        ({"max_bytes": 10}, "greater than or equal to 64"),
    ],
)
def test_mistakes_in_a_recipe_name_what_is_right(settings, message):
    with pytest.raises(RecipeError, match=message):
        read_settings(Language, settings, "r.toml")


@pytest.mark.parametrize(
    ("label", "language"),
    [
        ("__label__en", "en"),
        ("__label__eng_Latn", "en"),
        ("cmn_Hans", "zh"),
        ("zh-Hant", "zh"),
        ("zh_CN", "zh"),
        ("nb", "no"),
        ("nno", "nn"),
        ("iw", "he"),
        ("arb", "ar"),
        ("arz", "arz"),
        ("hrv", "hr"),
        ("yue", "yue"),
        ("ceb", "ceb"),
        ("un", "und"),
        ("zxx_Zxxx", "und"),
        ("yue_Hant", "yue"),
        ("pbt_Arab", "ps"),
        ("xx-Qaai", "und"),
        ("", "und"),
    ],
)
def test_languages_have_one_name(label, language):
    assert language_of(label) == language
    assert language_of(language) == language


class Says:
    """A model that gives the same answer always."""

    def __init__(self, language, probability, languages):
        self.answer, self.languages = (language, probability), frozenset(languages.split())

    def predict(self, text):
        return tuple(np.full(text.rows, part) for part in self.answer)


@pytest.mark.parametrize(
    ("first", "second", "language", "probability"),
    [
        (("en", 0.85), ("de", 1.0), "en", 0.85),  # sure: the second is not asked
        (("en", 0.8), ("en", 0.6), "en", 0.7),  # agreed: the mean
        (("en", 0.8), ("de", 0.7), "en", 0.4),  # disputed: half of the surer
        (("en", 0.6), ("de", 0.7), "de", 0.35),
        (("en", 0.7), ("de", 0.7), "de", 0.35),  # a tie: the second
        (("en", 0.849), ("en", 1.0), "en", 0.9245),  # not confident: both vote
        (("ceb", 0.6), ("de", 1.0), "ceb", 0.6),  # the second does not know Cebuano
        (("ceb", 0.4), ("de", 1.0), "de", 0.5),
        (("en", 0.4), ("pcm", 0.9), "pcm", 0.45),  # the first not knowing Pidgin is no reason to believe in it
        (("und", 0.0), ("und", 0.0), "und", 0.0),
        (("de", 0.3), ("und", 0.0), "de", 0.15),  # the second names none
    ],
)
def test_two_models_vote(first, second, language, probability):
    pair = Ensemble(Says(*first, "en de ceb"), Says(*second, "en de pcm"))
    found, sure = pair.predict(Ragged.from_strings([""]))
    assert (found[0], sure[0]) == (language, pytest.approx(probability))


@pytest.mark.parametrize(
    ("first", "second", "length", "language", "probability"),
    [
        (("de", 0.26), ("en", 1.0), 256, "de", 0.5),  # the heavier vote is the probability, whoever wins
        (("de", 0.24), ("en", 1.0), 256, "en", 0.5),
        (("de", 0.26), ("en", 1.0), 255, "en", 0.5),  # too short to hold two languages
        (("en", 0.8), ("de", 0.22), 256, "de", 0.4),
        (("en", 0.8), ("de", 0.18), 256, "en", 0.4),
        (("en", 0.8), ("pcm", 0.7), 256, "en", 0.4),  # the first does not know Pidgin
        (("ceb", 0.3), ("en", 0.8), 256, "en", 0.4),  # the second does not know Cebuano
        (("en", 0.6), ("en", 0.8), 256, "en", 0.7),
    ],
)
def test_english_loses_disputes_over_long_texts(first, second, length, language, probability):
    pair = Ensemble(Says(*first, "en de ceb"), Says(*second, "en de pcm"))
    found, sure = pair.predict(Ragged.from_strings(["x" * length]))
    assert (found[0], sure[0]) == (language, pytest.approx(probability))


@pytest.mark.parametrize(
    ("first", "second", "language"),
    [("sr", "hr", "sr"), ("sr", "bs", "sr"), ("hr", "bs", "bs"), ("hr", "sr", "hr"), ("sh", "hr", "hr")],
)
def test_the_first_model_tells_serbian_and_the_second_bosnian_from_croatian(first, second, language):
    pair = Ensemble(Says(first, 0.3, "bs hr sh sr"), Says(second, 0.7, "bs hr sr"))
    found, sure = pair.predict(Ragged.from_strings([""]))
    assert (found[0], sure[0]) == (language, 0.5)


def test_serbian_is_told_by_script_or_words():
    cyrillic = "Време је било лепо, па смо шетали кроз парк и разговарали о књизи коју је прочитала у возу."
    latin = (
        "Vreme je bilo lepo, pa smo šetali kroz park i razgovarali o knjizi koju je pročitala u vozu pre dve nedelje."
    )
    ijekavian = (
        "Vrijeme je bilo lijepo pa smo šetali parkom i razgovarali o knjizi koju je pročitala u vlaku prije dva tjedna."
    )
    found = Language().measure(batch(cyrillic, latin, ijekavian))["label"].to_list()
    assert found[:2] == ["sr", "sr"] and found[2] in ("hr", "bs")


def test_a_model_is_loaded_once():
    assert load_model("lid.176") is load_model("lid.176")
    with pytest.raises(RecipeError, match="no language model"):
        load_model("none")


def test_any_fasttext_file_is_a_model():
    from gristmill.filters.langid.models import LID176

    found = Language(model=f"file:{LID176}").measure(batch(SENTENCES["en"]))
    assert found.row(0) == Language(model="lid.176").measure(batch(SENTENCES["en"])).row(0)
