"""A GPT that classifies documents: its last layer scores classes, at the last token of a document."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel


class HeadSettings(Settings):
    """Settings of the layer that scores classes."""

    classes: list[str] = Field(min_length=2)
    pooling: Literal["last", "mean"] = "last"  # state of the last token, or mean over the tokens up to it


class Classifier(LanguageModel):
    """A GPT's states under a matrix of classes. Its targets are classes, one per document, at the last token."""

    def __init__(self, body: GPT, settings: HeadSettings):
        super().__init__()
        self.body, self.shape, self.settings = body, body.shape, settings
        self.head = nn.Parameter(
            torch.zeros(len(settings.classes), body.shape.d_model)
        )  # all are equally likely at first
        self.changes = {**body.changes, "head": settings}

    @property
    def output(self) -> Tensor:
        return self.head

    @property
    def targets(self) -> int:
        return len(self.settings.classes)

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return states [B, T, D]; with ``mean``, the mean of the states up to each token."""
        hidden_BTD = self.body.hidden(inputs_BT, documents_BT)
        if self.settings.pooling == "last":
            return hidden_BTD
        counts_T1 = torch.arange(1, hidden_BTD.shape[1] + 1, device=hidden_BTD.device)[:, None]
        return hidden_BTD.cumsum(1) / counts_T1


def freeze(model: Classifier, layers: Literal["all", "last", "head"]) -> None:
    """Train all weights, the head with the last block and the last norm, or the head alone (and an adapter)."""
    if layers == "all":
        return
    for name, parameter in model.body.named_parameters():
        is_adapter = parameter.requires_grad and "adapter" in model.body.changes
        last = name.startswith((f"blocks.{model.shape.n_layers - 1}.", "norm."))
        parameter.requires_grad_(is_adapter or (layers == "last" and last))
