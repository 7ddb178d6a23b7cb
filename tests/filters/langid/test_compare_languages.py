import json

import numpy as np
import pytest
from click.testing import CliRunner

from gristmill.filters.langid.evaluate import compare, f1_scores, macro_f1, read_labeled
from gristmill.flows.cli.compare_languages import compare_languages
from gristmill.pipelines.errors import InputError

ROWS = [
    {"text": "The weather was fine, so we walked through the park.", "language": "eng"},
    {"text": "We talked about the book that she had read on the train.", "language": "en_GB"},
    {"text": "Das Wetter war schön, also gingen wir durch den Park.", "language": "deu"},
    {"text": "我们在公园里散步，谈论那本书。", "language": "cmn"},
    {"text": "ᎣᏍᏓ ᎢᎦ ᎤᏂᏍᎦᏅ ᎠᏂᏴᏫ ᎤᎾᏙᎴᏆᏍᏗ", "language": "chr"},
    {"text": None, "language": "en"},
]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return str(path)


def test_labels_get_our_names_and_rows_without_text_go(corpus):
    assert read_labeled([corpus])["language"].to_list() == ["en", "en", "de", "zh", "chr"]


@pytest.mark.parametrize(
    ("truth", "label", "f1"),
    [
        ("en en de", "en en de", 1.0),
        ("en en de", "en de de", 2 / 3),
        ("en en de", "fr fr fr", 0.0),
        ("en en de xx", "en en de de", 1.0),  # xx is not among the languages counted
        ("xx", "en", 0.0),
    ],
)
def test_macro_f1_is_the_mean_over_languages(truth, label, f1):
    assert macro_f1(np.array(truth.split()), np.array(label.split()), frozenset({"en", "de", "fr"})) == f1


def test_f1_of_each_language():
    truth, label = np.array(["en", "en", "de", "xx"]), np.array(["en", "de", "de", "de"])
    assert f1_scores(truth, label, frozenset({"en", "de"})) == {"de": pytest.approx(2 / 3), "en": pytest.approx(2 / 3)}


def test_scores_of_a_model(corpus):
    (score,) = compare(read_labeled([corpus]), ["lid.176"], [1024])
    assert (score.macro_f1, score.shared_f1, score.accuracy, score.confident_unknown) == (1, 1, 1, 0)
    assert score.confident_correct > 0.7
    assert score.megabytes_per_second > 0


def test_the_command_prints_a_line_a_model_and_cap(corpus):
    result = CliRunner().invoke(compare_languages, [corpus, "--model", "lid.176", "--json"], catch_exceptions=False)
    assert [json.loads(line)["max_bytes"] for line in result.output.splitlines()] == [1024, None]
    table = CliRunner().invoke(compare_languages, [corpus, "--model", "lid.176"], catch_exceptions=False).output
    assert "5 documents in 4 languages" in table
    assert table.count("lid.176 ") == 2


@pytest.mark.parametrize("content", ["not json", '{"text": "no label"}'])
def test_a_corpus_without_labels_is_an_input_error(tmp_path, content):
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match="label"):
        read_labeled([str(path)])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lid.176", "lid.176+py3langid"])
def test_the_default_cap_costs_at_most_half_a_point(shared_data, model):
    paths = sorted(map(str, shared_data.glob("langid_*.jsonl.zst")))
    capped, full = compare(read_labeled(paths), [model], [1024, None])
    assert capped.macro_f1 > full.macro_f1 - 0.005
    assert capped.macro_f1 > (0.74 if model != "lid.176" else 0.68)
