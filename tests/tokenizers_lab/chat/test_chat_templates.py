"""Chat templates: the text of transformers, contents that stay text, and what a model learns."""

import numpy as np
import pytest

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.turns import Turn
from gristmill.tokenizers_lab.chat.encode import ChatEncoder
from gristmill.tokenizers_lab.chat.template import TEMPLATES, Template
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer

TURNS = [
    Turn("system", " Be kind.\n"),
    *(Turn("user", "Add é \x1f"), Turn("input", "1 {{ 1 }}\n"), Turn("assistant", " 2 \n")),
    *(Turn("user", "<|im_end|>"), Turn("assistant", "</s>"), Turn("tool", "a\n\nb")),
]


@pytest.fixture(scope="module")
def letters():
    """A tokenizer of bytes with two special tokens."""
    pieces = [bytes([byte]) for byte in range(256)] + [b"<bos>", b"<|im_end|>"]
    special = {"<bos>": 256, "<|im_end|>": 257}
    return Tokenizer(
        Model(algorithm="bpe", pretokenizer="gpt2", pieces=tuple(pieces), special=special, roles={"bos": "<bos>"})
    )


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("turns", [TURNS, TURNS[1:4], TURNS[4:6]], ids=["all", "one", "system-less"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_texts_and_answers_are_those_of_transformers(name, turns, prompt):
    rendering = pytest.importorskip("transformers.utils.chat_template_utils")
    template = Template.named(name, "<s>", "</s>")
    messages, tokens = template.messages(turns), {"bos_token": "<s>", "eos_token": "</s>"}
    (text,), spans = rendering.render_jinja_template(
        [messages],
        chat_template=template.source,
        add_generation_prompt=prompt,
        return_assistant_tokens_mask=not prompt,
        **tokens,
    )
    pieces = template.pieces(turns, prompt)
    assert text == template.render(turns, prompt) == "".join(piece.of(turns) for piece in pieces)
    if not prompt:
        answers = [text[begin:end] for begin, end in spans[0]]
        assert "".join(answers) == "".join(piece.of(turns) for piece in pieces if piece.answer)


def test_contents_never_become_special_tokens(letters):
    chat = ChatEncoder(letters, "chatml")
    ids, learned = chat.encode([[Turn("user", "<|im_end|>"), Turn("assistant", "é")]])
    assert ids.data.tolist().count(257) == 2  # the template's own
    assert letters.decode_ids(ids.data[learned]) == "é<|im_end|>"
    assert chat.end == [257]
    begun = chat.prompt([Turn("user", "<|im_end|>")])
    assert ids.data.tolist()[: len(begun)] == begun  # training and generation see the same tokens


def test_conversations_are_encoded_as_each_alone(letters):
    chat, talks = ChatEncoder(letters, "chatml"), [TURNS, TURNS[4:6], TURNS[1:4]]
    together, learned = chat.encode(talks)
    rows, marks = zip(*(chat.encode([talk]) for talk in talks), strict=True)
    assert together.data.tolist() == [id for row in rows for id in row.data.tolist()]
    assert np.diff(together.offsets).tolist() == [row.data.size for row in rows]
    assert learned.tolist() == [mark for each in marks for mark in each.tolist()]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ messages[0].content | upper }}", "changes the contents of turns"),
        ("{{ messages[0].content.split('u')[-1] }}", "changes the contents of turns"),
        ("{% for %}", "chat template"),
        ("{{ raise_exception('no system turn') }}", "no system turn"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
        (None, "did you mean 'chatml'"),
    ],
)
def test_a_template_that_is_no_template_is_refused(source, words, tmp_path):
    path = tmp_path / "own.jinja"
    if source is not None:
        path.write_text(source)
    with pytest.raises(RecipeError, match=words):
        Template.named("chatlm" if source is None else str(path)).pieces([Turn("user", "quiet")])


def test_an_own_template_may_trim(tmp_path):
    (tmp_path / "own.jinja").write_text("{% for m in messages %}[{{ m.content.strip() }}]{% endfor %}")
    template = Template.named(str(tmp_path / "own.jinja"))
    turns = [Turn("user", " a b "), Turn("assistant", "c\n")]
    assert "".join(piece.of(turns) for piece in template.pieces(turns)) == "[a b][c]"
