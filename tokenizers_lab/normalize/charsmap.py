"""SentencePiece's character maps, taken from the library, which writes them into the models it trains."""

import io
from functools import cache

from gristmill.tokenizers_lab.normalize.protobuf import fields

NORMALIZER, CHARSMAP = 3, 2  # fields of ModelProto and of NormalizerSpec


@cache
def charsmap(rule: str) -> bytes:
    """Return the character map of a rule (``precompiled_charsmap``), empty for "identity"."""
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
