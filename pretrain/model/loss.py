"""The loss: nats of the targets under a matrix of output embeddings, without keeping all logits.

With 8,192 tokens to choose from, the logits of a small model's batch are the largest thing it computes: 64 MB for
2,048 targets, read and written seven times by a log-softmax and its backward pass. On a CPU they are made a few rows
at a time instead, turned into their gradient while the cache holds them, and forgotten.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pretrain.data.packing import IGNORE_INDEX

BLOCK_LOGITS = 1 << 20  # of a block of rows: 128 at V = 8,192. Training with 2^18 was 10 % slower there, with 2^16 40 %


class LanguageModel(nn.Module):
    """Whatever gives each place a vector to multiply with ``output``. Called, it gives the loss.

    inputs, targets and documents [B, T] -> nats summed over the targets. Targets that are IGNORED count nothing.
    """

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """[B, T, D]"""
        raise NotImplementedError

    @property
    def output(self) -> Tensor:
        """[V or more, D]: rows beyond the vocabulary are there for speed and mean nothing."""
        raise NotImplementedError

    def forward(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        hidden_BTD = self.hidden(inputs_BT, documents_BT)
        if hidden_BTD.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return summed_nats(hidden_BTD, self.output[: self.shape.vocab_size], targets_BT)
        return self._nats(hidden_BTD, targets_BT, "sum")

    def nats(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """float32[B, T]: what each target costs, 0 where it is IGNORED."""
        return self._nats(self.hidden(inputs_BT, documents_BT), targets_BT, "none").view_as(targets_BT)

    def logits(self, hidden: Tensor) -> Tensor:
        """[…, D] -> […, V]"""
        return F.linear(hidden, self.output)[..., : self.shape.vocab_size]

    def _nats(self, hidden_BTD: Tensor, targets_BT: Tensor, reduction: str) -> Tensor:
        logits = self.logits(hidden_BTD).flatten(0, 1).float()
        return F.cross_entropy(logits, targets_BT.flatten(), ignore_index=IGNORE_INDEX, reduction=reduction)


def summed_nats(x_BTD: Tensor, output_VD: Tensor, targets_BT: Tensor) -> Tensor:
    """float32[]: the nats of all targets together, for training on a CPU."""
    return _SummedNats.apply(x_BTD.flatten(0, 1), output_VD, targets_BT.flatten())


class _SummedNats(torch.autograd.Function):
    """The gradient of a sum is known but for one factor, so the forward pass works it out as it goes."""

    @staticmethod
    def forward(ctx, x_ND: Tensor, output_VD: Tensor, targets_N: Tensor) -> Tensor:
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x_ND.dtype
        output, x_gradient, output_gradient = output_VD.to(kind), torch.empty_like(x_ND), torch.zeros_like(output_VD)
        total = x_ND.new_zeros((), dtype=torch.promote_types(x_ND.dtype, torch.float32))
        rows = max(1, BLOCK_LOGITS // output_VD.shape[0])
        for x, target, gradient in zip(x_ND.split(rows), targets_N.split(rows), x_gradient.split(rows), strict=True):
            scored = target != IGNORE_INDEX
            index = target.clamp(min=0)[:, None]
            logs = F.log_softmax(x.to(kind) @ output.T, -1, dtype=total.dtype)
            total -= logs.gather(1, index)[scored].sum()
            slope = logs.exp_()  # of the loss by the logits: the probabilities, less 1 at the target
            slope.scatter_add_(1, index, slope.new_full((), -1.0).expand_as(index))
            slope = slope.mul_(scored[:, None]).to(kind)
            gradient.copy_(slope @ output)
            output_gradient.addmm_(slope.T.to(output_VD.dtype), x.to(output_VD.dtype))
        ctx.save_for_backward(x_gradient, output_gradient)
        return total

    @staticmethod
    def backward(ctx, scale: Tensor):
        x_gradient, output_gradient = ctx.saved_tensors
        return x_gradient * scale, output_gradient * scale, None
