"""Scripts as evidence: which labels a text rules out, and what takes their place."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.langid.models import LID176, load_model
from gristmill.filters.langid.scripts import LANGUAGES, SCRIPT_OF_BLOCK, SCRIPTS, correct_by_script, scripts_of
from gristmill.pipelines.ragged import Ragged


def corrected(text, language, probability=0.9):
    labels, probabilities = np.array([language], "<U3"), np.array([probability])
    correct_by_script(Ragged.from_strings([text]), np.array([scripts_of(language)], np.uint64), labels, probabilities)
    return str(labels[0]), float(probabilities[0])


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("ᎣᏍᏓ ᎢᎦ", "am", ("chr", 1.0)),
        ("ᎣᏍᏓ ᎢᎦ chapter", "am", ("chr", 5 / 12)),  # Latin letters count, but are never the main script
        ("ᐁᐗᐡᑭ", "am", ("cr", 0.4)),  # several languages write so
        ("ⴰⵣⵓⵍ", "und", ("zgh", 0.4)),
        ("春眠不覺曉", "ja", ("zh", 1.0)),
        ("春眠不覺曉の", "ja", ("ja", 0.9)),  # one kana is enough
        ("春眠不覺曉", "ko", ("zh", 1.0)),
        ("plain words", "ar", ("und", 0.0)),
        ("plain words م", "ar", ("ar", 0.9)),
        ("12 + 34", "en", ("und", 0.0)),
        ("", "en", ("und", 0.0)),
        ("abc абв", "en", ("en", 0.9)),  # half of the letters
        ("ab абв", "en", ("ru", 0.4)),
        ("ab абв", "sr", ("sr", 0.9)),
        ("Dobar dan", "sr", ("sr", 0.9)),
        ("Добар дан", "hr", ("ru", 0.4)),
        ("\U00020000\U00020001", "en", ("zh", 1.0)),
    ],
)
def test_a_label_without_letters_of_its_scripts_gives_way(text, language, found):
    assert corrected(text, language) == (found[0], pytest.approx(found[1]))


CHARACTERS = st.characters(max_codepoint=0x2FFFF, exclude_categories=["Cs"]) | st.sampled_from("aéбжあ漢ክ")


@given(text=st.text(CHARACTERS, max_size=24), language=st.sampled_from(["en", "sr", "ja", "zh", "am"]))
def test_the_label_stays_exactly_where_its_letters_suffice(text, language):
    letters = [script for script in map(script_of, text) if script]
    enough = any(language in LANGUAGES[script] for script in letters if script > 1)
    if language in ("en", "sr") and letters:
        enough |= 2 * letters.count(1) >= len(letters)
    assert (corrected(text, language)[0] == language) == enough


def script_of(char):
    if char.isascii():
        return int(char.isalpha())
    return int(SCRIPT_OF_BLOCK[ord(char) >> 4])


def test_the_first_letter_of_each_script_bears_its_name():
    names = {"Canadian": "CANADIAN SYLLABICS", "Kana": "HIRAGANA", "Han": "CJK", "NKo": "NKO", "Oriya": "ORIYA"}
    for number, script in enumerate(SCRIPTS, 1):
        begin = int(np.flatnonzero(number == SCRIPT_OF_BLOCK)[0]) << 4
        letters = [chr(c) for c in range(begin, begin + 0x80) if unicodedata.category(chr(c)).startswith("L")]
        if script == "Han":
            letters = ["\u4e00"]
        assert unicodedata.name(letters[0]).startswith(names.get(script, script.upper())), script


def test_a_file_keeps_the_labels_of_its_model():
    poem = Ragged.from_strings(["獨坐幽篁裏，彈琴復長嘯。深林人不知，明月來相照。"])
    assert [load_model(name).predict(poem)[0][0] for name in (f"file:{LID176}", "lid.176")] == ["ja", "zh"]
    assert "chr" not in load_model(f"file:{LID176}").languages
