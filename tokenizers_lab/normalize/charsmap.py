"""SentencePiece's own tables of characters, got from the library: it writes them into the models it trains."""

import io
from functools import cache

from gristmill.tokenizers_lab.normalize.protobuf import fields

NORMALIZER, CHARSMAP = 3, 2  # fields of ModelProto and of NormalizerSpec


@cache
def charsmap(rule: str) -> bytes:
    """SentencePiece's own table for a rule, as the library writes it into the models it trains."""
    if rule == "identity":
        return b""
    from sentencepiece import SentencePieceTrainer

    written = io.BytesIO()
    text = iter(["a b c d e"] * 9)
    SentencePieceTrainer.train(
        sentence_iterator=text, model_writer=written, vocab_size=9, normalization_rule_name=rule, minloglevel=5
    )
    normalizer = dict(fields(written.getvalue()))[NORMALIZER]
    return dict(fields(normalizer))[CHARSMAP]
