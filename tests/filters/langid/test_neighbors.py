"""Cantonese from Mandarin, and Arabic from what else is written in Arabic letters."""

import pytest

from gristmill.filters.langid.models import ENSEMBLE, load_model
from gristmill.filters.langid.neighbors import MIN_WORDS, is_cantonese, lacks_article
from gristmill.pipelines.ragged import Ragged

CANTONESE = "佢哋話呢間舖頭嘅嘢好食，所以我哋琴日去咗試吓，不過要等好耐先有位。"
SIMPLIFIED = "佢哋话呢间铺头嘅嘢好食，所以我哋琴日去咗试吓，不过要等好耐先有位。"
MANDARIN = "他們說這家店的東西很好吃，所以我們昨天去試了，不過要等很久才有位子。"


@pytest.mark.parametrize(
    ("text", "cantonese"),
    [
        (CANTONESE, True),
        (SIMPLIFIED, True),
        (MANDARIN, False),
        ("", False),
        ("天地玄黃", False),
        ("嘅", True),
        ("的嘅", False),  # as many of either
        ("的嘅唔", True),
        ("唔佢冇", False),  # Hakka and Gan have these
        ("關係", False),  # Mandarin too
        (MANDARIN + "他說：「我哋走啦。」", False),  # a quotation
    ],
)
def test_cantonese_has_more_of_its_own_characters_than_mandarin_ones(text, cantonese):
    assert is_cantonese(Ragged.from_strings([text])).tolist() == [cantonese]


@pytest.mark.parametrize("model", ["lid.176", "py3langid", ENSEMBLE, "pycld2"])
def test_every_model_tells_cantonese_from_mandarin(model):
    found = load_model(model).predict(Ragged.from_strings([CANTONESE * 3, SIMPLIFIED * 3, MANDARIN * 3]))
    assert found[0].tolist() == ["yue", "yue", "zh"]


def words(plain, with_article, article="ال"):
    return " ".join(["كتاب"] * plain + [article + "كتاب"] * with_article)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (words(MIN_WORDS, 0), True),
        (words(MIN_WORDS - 1, 0), False),  # too short to tell
        (words(49, 1), True),
        (words(48, 2), False),  # 4 of 100
        (words(48, 2, "وبال"), False),
        (words(48, 2, "لل"), False),
        (words(48, 2, "اَلْ"), False),  # vowel marks
        (words(48, 2, "ٱل"), False),
        (words(48, 2, "قال"), True),  # not at the beginning
        ("plain words " * 30, False),
        ("", False),
    ],
)
def test_arabic_has_the_article(text, lacks):
    assert lacks_article(Ragged.from_strings([text])).tolist() == [lacks]


TASHELHIT = {  # Matthew 4
    "Arabic": "يدو ياسوع غاكودان ياوي ت روح لقودوس س لخلا ا ت يتارم يبليس. "
    "كوژ يد مراو ن واس ا ياژوم غ ييض ولا ازال ايليغ يوري ياغ ت لاژ باهرا.",
    "Tifinagh": "ⵉⴷⴷⵓ ⵢⴰⵙⵓⵄ ⵖⴰⴽⵓⴷⴰⵏ, ⵢⴰⵡⵉ ⵜ ⵔⵔⵓⵃ ⵍⵇⵓⴷⵓⵙ ⵙ ⵍⵅⵍⴰ ⴰ ⵜ ⵉⵜⴰⵔⵎ ⵉⴱⵍⵉⵙ.",
    "Latin": "iddu yasuɛ ġakudan, yawi-t rruḥ lqudus s-lxla a-t-itarm iblis. "
    "kkuẓ id-mraw n-wass a-yaẓum ġ-iyḍ ula azal.",
}


@pytest.mark.parametrize(("script", "language"), [("Arabic", "und"), ("Tifinagh", "zgh"), ("Latin", "kab")])
def test_tashelhit_is_not_called_arabic(script, language):
    found, _ = load_model(ENSEMBLE).predict(Ragged.from_strings([TASHELHIT[script]]))
    assert found.tolist() == [language]
