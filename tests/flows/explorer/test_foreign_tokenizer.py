"""The explorer shows the tokens of a file of another library."""

import numpy as np
import pytest
from upath import UPath

from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.pipelines.errors import GristmillError
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import Model


def test_tokens_of_a_tokenizer_json(tmp_path):
    pieces = [*(bytes([byte]) for byte in range(256)), b"ab"]
    model = Model("bpe", "gpt2", pieces, np.array([(97, 98, 256)]))
    (tmp_path / "tokenizer.json").write_bytes(to_huggingface(model))
    opened = Tokenizers(UPath(tmp_path), [str(tmp_path / "tokenizer.json")])
    assert [(token.text, token.ids) for token in opened.tokens("tokenizer.json", "abé")] == [
        ("ab", [256]),
        ("é", [0xC3, 0xA9]),
    ]
    with pytest.raises(GristmillError, match="not a file"):
        Tokenizers(UPath(tmp_path), [str(tmp_path / "none.json")])
