"""Files that a quantized model keeps beside its weights."""

import pytest
from upath import UPath

from gristmill.flows.models.quantizing import _tokenizer_files


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["config.json"], []),
        (["chat_template.jinja", "tokenizer_config.json"], []),
        (["gristmill.json", "chat_template.jinja"], ["gristmill.json", "chat_template.jinja"]),
        (["tokenizer.json", "tokenizer_config.json", "config.json"], ["tokenizer.json", "tokenizer_config.json"]),
        (["vocab.txt", "tokenizer_config.json"], ["vocab.txt", "tokenizer_config.json"]),
        (["tokenizer.model", "tokenizer.json"], ["tokenizer.json"]),
    ],
)
def test_the_tokenizer_and_its_chat_template_are_kept(tmp_path, names, kept):
    for name in names:
        (tmp_path / name).touch()
    assert _tokenizer_files(UPath(tmp_path)) == kept
