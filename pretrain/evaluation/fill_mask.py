"""Predictions of hidden tokens by a masked language model, and of hidden spans by an encoder-decoder."""

from collections.abc import Sequence

import torch

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.evaluation.generate import Decoder
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder
from gristmill.pretrain.model.gpt import GPT

MAX_SPAN = 32  # tokens


@torch.no_grad()
def fill_masks(model: GPT, ids: list[int], mask: int, count: int) -> list[list[tuple[int, float]]]:
    """Return the ``count`` likeliest ids, with their probabilities, for each token equal to ``mask``.

    Raises RecipeError if the model is causal, if no token is the mask, or if the text exceeds the context.
    """
    if model.shape.causal:
        raise RecipeError("the model predicts the next token, not hidden ones; train one with --preset nano-bert")
    if mask not in ids:
        raise RecipeError("the text hides no token; write [MASK] in place of a word")
    if len(ids) > model.shape.context:
        raise RecipeError(f"the text has {len(ids):,} tokens, expected at most {model.shape.context:,}: shorten it")
    ids_T = torch.tensor(ids, device=model.embedding.weight.device)
    hidden_TD = model.eval().hidden(ids_T[None])[0]
    chances_MV = model.logits(hidden_TD[ids_T == mask]).float().softmax(-1)
    found = chances_MV.topk(min(count, model.shape.vocab_size))
    pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return [list(zip(each, chances, strict=True)) for each, chances in pairs]


@torch.no_grad()
def fill_spans(
    model: EncoderDecoder, ids: list[int], sentinels: Sequence[int], ends: Sequence[int]
) -> list[tuple[list[int], float]]:
    """Return each sentinel's span and its probability: the likeliest tokens one by one, up to one of ``ends``.

    Raises RecipeError if the text exceeds the context.
    """
    decoder, found = Decoder(model.eval(), ids, 1), []
    for sentinel in sentinels:
        decoder.add(torch.full_like(decoder.seen_BT[:, 0], sentinel))
        span: list[int] = []
        probability = 1.0
        while len(span) < MAX_SPAN:
            chance_B, next_B = decoder.logits_BV.float().softmax(-1).max(1)
            probability *= chance_B.item()
            if next_B.item() in ends:
                break
            span.append(int(next_B))
            decoder.add(next_B)
        found.append((span, probability))
    return found
