"""Mixture of experts: a router chooses the MLPs that compute a token (1701.06538).

Axes as in gpt.py, and N tokens, E experts, k experts per token. Switch is 2101.03961, Mixtral 2401.04088.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.layers import MLP


class Experts(nn.Module):
    """MLPs of which each token gets the k likeliest ones, weighted by the router's probabilities.

    The weights of a token sum to 1, as in Mixtral; a single expert keeps its probability, as in Switch, else the router
    would get no gradient. No token is dropped: an expert computes as many as chose it.
    """

    balance: Tensor  # float[], of the last forward pass: 1 if experts are used evenly, E if one does all

    def __init__(self, shape: ModelConfig):
        super().__init__()
        assert shape.n_experts is not None
        self.chosen, self.balance_weight = shape.experts_per_token, shape.balance_weight
        self.router = nn.Linear(shape.d_model, shape.n_experts, bias=False)
        self.experts = nn.ModuleList(MLP(shape) for _ in range(shape.n_experts))

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_ND = x_BTD.flatten(0, -2)
        probs_NE = self.router(x_ND).float().softmax(-1)
        weights_Nk, experts_Nk = probs_NE.topk(self.chosen)
        if self.chosen > 1:
            weights_Nk = weights_Nk / weights_Nk.sum(-1, keepdim=True)
        self.balance = balance(probs_NE, experts_Nk)
        mixed_ND = torch.zeros_like(x_ND)
        for number, expert in enumerate(self.experts):  # one without tokens is called, too: its gradient is 0, not None
            rows, place = torch.where(experts_Nk == number)
            y_ND = expert(x_ND[rows]) * weights_Nk[rows, place, None]
            mixed_ND = mixed_ND.index_add(0, rows, y_ND.type_as(mixed_ND))
        return mixed_ND.view_as(x_BTD)


def balance(probs_NE: Tensor, experts_Nk: Tensor) -> Tensor:
    """Return E · Σ f_e P_e (2101.03961, equation 4), float[].

    f_e is the share of all choices that expert e got, P_e its mean probability. Only the latter has a gradient.
    """
    experts = probs_NE.shape[1]
    shares_E = F.one_hot(experts_Nk.flatten(), experts).float().mean(0)
    return experts * (shares_E * probs_NE.mean(0)).sum()


def balance_loss(model: nn.Module) -> Tensor | None:
    """Return the weighted sum of all layers' `balance` in the last forward pass; None for a model without experts."""
    found = [each.balance_weight * each.balance for each in model.modules() if isinstance(each, Experts)]
    return torch.stack(found).sum() if found else None
