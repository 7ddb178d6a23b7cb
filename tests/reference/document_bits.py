"""Bits of a document, one token at a time: each from its own context, by a softmax in float64."""

import math

import torch


def token_bits(model, context_ids, target):
    with torch.no_grad():
        logits = model.logits(model.hidden(torch.tensor([context_ids])))[0, -1].double()
    return (math.log(sum(math.exp(x) for x in (logits - logits.max()).tolist())) + float(logits.max())
            - float(logits[target])) / math.log(2)  # fmt: skip


def document_bits(model, ids, context, stride):
    """The token at place t of ids[1:] sees the window it is first in: windows begin at 0, stride, 2 stride, …"""
    total = 0.0
    for t in range(1, len(ids)):
        start = 0
        while start + context < t:
            start += stride
        total += token_bits(model, ids[start:t], ids[t])
    return total
