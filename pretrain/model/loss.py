"""Cross-entropy in nats under a matrix of output embeddings, without keeping all logits.

With a vocabulary of 8,192, the logits are the largest tensor of a small model's step: 64 MB for 2,048 targets. A
log-softmax and its backward pass read and write them seven times. On a CPU this module computes a block of rows at a
time, turns the logits into their gradient while they are in the cache, and discards them. Evaluation takes blocks,
too: the same bits in half the time (0.12 against 0.24 s for 8,192 targets of a vocabulary of 4,096, trial).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.model.config import ModelConfig, RNNConfig

BLOCK_LOGITS = 1 << 20  # of one block: 128 rows at V = 8,192. There 2^18 was 10 % slower, 2^16 40 %


class LanguageModel(nn.Module):
    """Base of all models: a network that gives each position a vector to multiply with ``output``.

    Calling it with inputs, targets and documents, int64[B, T] each, returns the nats summed over all targets, float[].
    Targets equal to IGNORE_INDEX count nothing.
    """

    shape: ModelConfig | RNNConfig
    changes: Mapping[str, Settings] = {}  # of the network since it was built, such as an adapter; model.json names them

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the last hidden states [B, T, D]."""
        raise NotImplementedError

    def states(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the hidden states [B, T, D] that predict these targets."""
        return self.hidden(inputs_BT, documents_BT)

    @property
    def output(self) -> Tensor:
        """Output embeddings [V or more, D]; rows beyond the vocabulary are padding."""
        raise NotImplementedError

    @property
    def output_bias(self) -> Tensor | None:
        """Bias of the logits [V or more], if any."""
        return None

    @property
    def targets(self) -> int:
        """Number of different targets (V): the vocabulary, or the classes of a classifier."""
        return self.shape.vocab_size

    def forward(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        hidden_BTD = self.states(inputs_BT, targets_BT, documents_BT)
        if hidden_BTD.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling():
            bias_V = self.output_bias
            bias_V = None if bias_V is None else bias_V[: self.targets]
            return summed_nats(hidden_BTD, self.output[: self.targets], targets_BT, bias_V)
        return self._nats(hidden_BTD.flatten(0, 1), targets_BT.flatten(), "sum")

    def nats(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the nats of each target, float32[B, T]; 0 where the target is IGNORE_INDEX."""
        hidden_ND = self.states(inputs_BT, targets_BT, documents_BT).flatten(0, 1)
        rows = max(1, BLOCK_LOGITS // self.output.shape[0]) if hidden_ND.device.type == "cpu" else len(hidden_ND)
        blocks = zip(hidden_ND.split(rows), targets_BT.flatten().split(rows), strict=True)
        return torch.cat([self._nats(*block, "none") for block in blocks]).view_as(targets_BT)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return logits […, V] of hidden states […, D]."""
        return F.linear(hidden, self.output, self.output_bias)[..., : self.targets]

    def _nats(self, hidden_ND: Tensor, targets_N: Tensor, reduction: str) -> Tensor:
        logits = self.logits(hidden_ND).float()
        return F.cross_entropy(logits, targets_N, ignore_index=IGNORE_INDEX, reduction=reduction)


def summed_nats(x_BTD: Tensor, output_VD: Tensor, targets_BT: Tensor, bias_V: Tensor | None = None) -> Tensor:
    """Return the nats of all targets together, float32[], for training on a CPU."""
    return _SummedNats.apply(x_BTD.flatten(0, 1), output_VD, targets_BT.flatten(), bias_V)


class _SummedNats(torch.autograd.Function):
    """Sum of nats whose forward pass computes the gradient too: the backward pass only scales it."""

    @staticmethod
    def forward(ctx, x_ND: Tensor, output_VD: Tensor, targets_N: Tensor, bias_V: Tensor | None) -> Tensor:
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x_ND.dtype
        output, x_gradient = output_VD.to(kind), torch.empty_like(x_ND)
        output_gradient = torch.zeros_like(output_VD) if ctx.needs_input_grad[1] else None  # None: a frozen matrix
        bias_gradient = None if bias_V is None else torch.zeros_like(bias_V)
        total = x_ND.new_zeros((), dtype=torch.promote_types(x_ND.dtype, torch.float32))
        rows = max(1, BLOCK_LOGITS // output_VD.shape[0])
        for x, target, gradient in zip(x_ND.split(rows), targets_N.split(rows), x_gradient.split(rows), strict=True):
            scored = target != IGNORE_INDEX
            index = target.clamp(min=0)[:, None]
            logits = F.linear(x.to(kind), output, None if bias_V is None else bias_V.to(kind)).to(total.dtype)
            wanted, top = logits.gather(1, index), logits.amax(-1, keepdim=True)
            slope = torch.softmax(logits, -1, out=logits)  # one exp for each logit: a log-softmax needs two
            total += (top - slope.amax(-1, keepdim=True).log() - wanted)[scored].sum()
            slope.scatter_add_(1, index, slope.new_full((), -1.0).expand_as(index))  # now d loss / d logits
            slope = slope.mul_(scored[:, None]).to(kind)
            gradient.copy_(slope @ output)
            if output_gradient is not None:
                output_gradient.addmm_(slope.T.to(output_VD.dtype), x.to(output_VD.dtype))
            if bias_gradient is not None:
                bias_gradient += slope.sum(0)
        ctx.save_for_backward(x_gradient, output_gradient, bias_gradient)
        return total

    @staticmethod
    def backward(ctx, scale: Tensor):
        x, output, bias = (None if each is None else each * scale for each in ctx.saved_tensors)
        return x, output, None, bias
