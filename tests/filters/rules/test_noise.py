"""Noise: the counts it rests on, and one document on each side of each line."""

import random
import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import noise as reference
from reference.sentences import SENTENCES

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.noise import Noise
from gristmill.filters.rules.noise_sequences import count_sequences, is_url
from gristmill.filters.text.letters import count_letters
from gristmill.filters.text.lines import split_lines
from gristmill.filters.text.markup import tag_bytes
from gristmill.filters.text.sentence_ends import bytes_in_sentences
from gristmill.pipelines.ragged import Ragged

PARTS = [
    "the", "The", "of", "word", "Word", "strength", "Rechtsschutz", "xkcdqwrt", "für", "fÃ¼r", "â€™", "Ã", "\ufffd",
    "\x9d", "\x01", "<b>", "</p>", "<", ">", "<!-- x -->", "<3", "1,234", "...", ".", "!", "?", "。", "漢字", "ไทย",
    "www.example.com", "https://example.com/a", "mailto:x", "x" * 41, "é", "e\u0301", "ŋ", "Я", "ᏣᎳᎩ", "ա. ա",
    "\n", "\t", "😀", "¿", "word. next", "Word! Next",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PARTS), max_size=40).map(" ".join) | st.lists(st.sampled_from(PARTS)).map("".join)
TEXTS = st.lists(TEXT | st.text(), max_size=4)


@given(TEXTS)
@example(
    [
        "bcdfg",
        "abcdfgh jklmn",
        "bcdf g",
        "schtschtsch" * 9,
        "bcddfgh",
        "0x" + "F" * 9,
        "b" * 9 + "cdfg\u0301gh",
        "é" * 499 + "xyzxcvb",
        "aé" + "xkcd" * 249 + "漢",
        "AbcdefZ",
        "@AZ[`az{",
        "\x1f !~\x7f\x80abcdefghi",
        "x" * 1000 + "bcdfg",
        "x" * 996 + "bcdfg",
    ]
)
def test_letters_are_counted_as_by_the_reference(texts):
    counts = np.array(count_letters(Ragged.from_strings(texts))).T.tolist()
    assert counts == [list(reference.letters(text)) for text in texts]


TAG_PARTS = [
    "<", ">", "/", "!", "--", "[", " ", "\n", "=", '"', "'", "a", "A", "p", "P", "br", "B", "h1", "em", "span", "Span",
    "SPAN", "blockquote", "blockquotes", "int", "x", "_", "7", "@", ".", ":", "é", "\x00", "class=", 'id="', ",", "&",
]  # fmt: skip
TAGS = st.lists(st.sampled_from(TAG_PARTS), max_size=8).map(lambda parts: "<" + "".join(parts) + ">")
TAGGED = st.lists(TAGS | st.sampled_from(TAG_PARTS), max_size=8).map("".join)


@given(st.lists(TAGGED | TEXT | st.text(), max_size=4))
@example(["<!" + "a" * 1997 + ">", "<!" + "a" * 1998 + ">"])
@example(
    [
        "x<A>",
        "x<a>",
        " <A>",
        "x<pre>",
        "x<span>",
        "<a b>",
        "<a b=>",
        "<a b=c>",
        "<x b=c>",
        "<x b='c'>",
        "<x b c=>",
        "<!a <b>",
    ]
)
def test_tags_are_measured_as_by_the_reference(texts):
    assert tag_bytes(Ragged.from_strings(texts)).tolist() == [reference.tag_bytes(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    ["<b>", "</b>", "<BR>", "<br/>", "<br />", "<p class=x>", '<a href="/x">', "<td nowrap width=9>", "<!-- x -->",
     "<!DOCTYPE html>", "</entry>", '<entry xml:lang="de">', "<h1>", "<![CDATA[x]]>"],
)  # fmt: skip
def test_a_tag_is_markup(text):
    assert tag_bytes(Ragged.from_strings([text])).tolist() == [len(text)]


@pytest.mark.parametrize(
    "text",
    ["vector<int>", "std::map<Key, Value>", "List<A>", "Option<Label>", "Array<object>", "Box<dyn Fn(u8)>", "<T>",
     "template<typename T, class U = int>", "<T extends Shape>", "if (a<b && c>d)", "a <b and c> d", "1<2>0",
     "<ann@example.org>", "<p@example.org>", "<https://example.org/a>", "#include <map.h>", "<name>", "<3", "<!>"],
)  # fmt: skip
def test_types_comparisons_and_addresses_are_no_markup(text):
    assert tag_bytes(Ragged.from_strings([text])).tolist() == [0]


@given(st.lists(SENTENCES, max_size=4).map("\n".join).map(lambda text: [text]) | TEXTS)
def test_finished_sentences_are_measured_as_by_the_reference(texts):
    text = Ragged.from_strings(texts)
    lines = [line for t in texts for line in t.splitlines()]
    assert bytes_in_sentences(text.data, *split_lines(text)[1:]).tolist() == [
        reference.finished(line) for line in lines
    ]


def bounded(word: str, bound: int, tail: str = "") -> st.SearchStrategy[str]:
    """Draw ``bound - 1`` to ``bound + 1`` times a word, then a tail."""
    return st.integers(bound - 1, bound + 1).map(lambda times: word * times + tail)


URLS = st.integers(7, 9).map(lambda size: "www.abcde"[:size] + " ")
EDGES = st.lists(
    bounded("x", 40, " ") | URLS | bounded("word. Word ", 12) | bounded("word. word ", 12) | bounded("the of ", 10)
    | bounded("The a ", 10) | st.sampled_from(["http:// ", "http://a "]),
    max_size=4,
).map("".join)  # fmt: skip
WINDOWS = st.tuples(st.sampled_from([100, 250]), st.integers(-1, 1), st.integers(9, 11)).map(
    lambda drawn: " ".join(f"w{'abcdefghijk'[i % drawn[2]]}" for i in range(drawn[0] + drawn[1]))
)
MANY = st.lists(st.sampled_from(["the", "of", "word", "Word", ".", "x", "a!"]), min_size=90, max_size=130).map(" ".join)


@given(st.lists(TEXT | MANY | EDGES | WINDOWS | st.text(), max_size=3))
@example(["the of " * 10, "word. b! " * 13, "word " * 99, "word " * 100, "a b c d e f g h i j k " * 30])
def test_sequences_are_counted_as_by_the_reference(texts):
    batch = Batch(Ragged.from_strings(texts))
    words, data = batch.words, batch.text.data
    expected = []
    for first, after in zip(words.offsets, words.offsets[1:], strict=False):
        rows = [
            (
                data[words.start[j] : words.end[j]].tobytes(),
                int(words.length[j]),
                int(words.flags[j]),
                j == first or words.start[j] != words.end[j - 1],
            )
            for j in range(first, after)
        ]
        expected.append(list(reference.sequences(rows)))
    assert np.array(count_sequences(batch.text, words)).T.tolist() == expected


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_invalid_bytes_are_measured_too(texts):
    measures = Noise().measure(Batch(Ragged.from_strings(texts)))
    assert len(measures) == len(texts)
    assert all(column.is_finite().all() for column in measures)


PROSE = "We walked to the station in the rain. It was late, and the last train had gone. Nobody spoke. "
SPANISH = "Caminamos a la estación bajo la lluvia. Era tarde y el último tren se había ido. Nadie habló. "


def shuffled(text: str, seed: int = 1) -> str:
    words = text.split()
    random.Random(seed).shuffle(words)
    return " ".join(words)


def random_letters(words: int) -> str:
    draw = random.Random(1)
    return " ".join("".join(draw.choices(string.ascii_lowercase, k=draw.randint(3, 12))) for _ in range(words)) + "."


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        (PROSE, []),
        (SPANISH * 9, []),
        ("abcd 123456.", ["letters_too_low"]),  # 4 of 11
        ("abcdf 123456.", []),  # 5 of 12
        ("HE SAID SO, and went.", []),  # 8 of 15
        ("HE SAID SO ALOUD, and.", ["uppercase_letters_too_high"]),  # 13 of 16
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ.", []),  # Cherokee, in the capitals it is written in
        ("Der Rechtsschutz und die Angstschweißperlen. " + "Mehr davon haben die wenigsten Texte. " * 3, []),
        (random_letters(60), ["unpronounceable_too_high"]),
        ("FÃ¼r die KÃ¶nigin mit Bär, Möwe, Kröte, Käfer und Wölfen.", ["mojibake_too_high"]),
        (PROSE * 9 + "of the millâ€™s grain.", ["mojibake_beyond_ascii_too_high"]),
        (PROSE * 9 + "of the millâ€™s café, à côté.", []),  # 3 of 6
        (PROSE * 9 + "of the millâ€™s café, là.", ["mojibake_beyond_ascii_too_high"]),  # 3 of 5
        (PROSE * 9 + "of two \ufffd\ufffd.", []),  # two signs are too few
        (PROSE * 9 + "of three \ufffd\ufffd\ufffd.", ["mojibake_beyond_ascii_too_high"]),
        ("Für die Königin, „ihre“ Kinder… – À Paris, à Âge égal.", []),
        ("a\ufffd" + "be" * 98 + ".", ["mojibake_too_high"]),  # 1 of 199
        ("a\ufffd" + "be" * 99 + ".", []),  # 1 of 201
        ("<b>bold</b> words in " + "a sentence. " * 4, ["markup_too_high"]),
        ("<b>bold</b> words in " + "a sentence. " * 5, []),
        ("See https://example.com/a.", ["url_bytes_too_high"]),
        ("See https://example.com/a for what the others have found out about it.", []),
        ("Keep ERTNabcduEiiOoUuEe1234567890abeeeeEEaaeeooiiEE safe.", ["long_runs_too_high"]),
        ("Keep it safe, and keep ERTNabcduEiiOoUuEe1234567890abeeee at home as well, will you?", []),
        ("cheap flights, best cheap hotels. " * 20, ["top_words_too_high"]),
        ("cheap flights, best cheap hotels. " * 19, []),  # 95 words are too few to tell
        (shuffled(PROSE * 8), ["lowercase_sentence_starts_too_high", "bad_the_bigrams_too_high"]),
        (shuffled(PROSE * 8).lower(), ["bad_the_bigrams_too_high"]),
        (PROSE.lower() * 9, []),
        (shuffled(SPANISH * 8), ["lowercase_sentence_starts_too_high"]),
        ("Was it he? was it she. " * 15, []),  # a question may stand inside a sentence
        ("Was it he. was it she. " * 15, ["lowercase_sentence_starts_too_high"]),
        ("Home\n" + " ".join(["word"] * 12), []),  # a long line is a sentence
        ("Home\n" + " ".join(["word"] * 11), ["sentence_bytes_too_low"]),
        ("Home\nA long list of things that we have on sale\nImprint", ["sentence_bytes_too_low"]),
        ("Home\nWe sell things.", []),
    ],
)
def test_noise_names_the_rule_broken(text, rules):
    settings = Noise()
    measures = settings.measure(Batch(Ragged.from_strings([text])))
    assert [rule["rule"] for rule in decide(settings, measures, np.array([""], object))[0]] == rules


@pytest.mark.parametrize("begin", [b"http", b"www."])
def test_a_url_begins_with_all_four_bytes(begin):
    found = [begin, *(begin[:i] + b"?" + begin[i + 1 :] for i in range(4)), begin.upper()]
    assert [bool(is_url(np.frombuffer(b"pw" + each, np.uint8), 2)) for each in found] == [True] + 5 * [False]
