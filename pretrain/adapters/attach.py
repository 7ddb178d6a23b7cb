"""Adapters by name: their settings, and how they are attached to a model."""

from typing import Literal

import torch
from pydantic import Field

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings
from gristmill.pretrain.adapters.bottleneck import BottleneckLinear
from gristmill.pretrain.adapters.lora import LoRALinear
from gristmill.pretrain.adapters.virtual_tokens import PrefixTuning, PromptTuning
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.linears import replace_linears

Target = Literal["attention.qkv", "attention.out", "mlp.up", "mlp.down"]
TARGETS: dict[str, list[Target]] = {
    "lora": ["attention.qkv"],
    "bottleneck": ["attention.out", "mlp.down"],  # the last layer of each sublayer
}


class AdapterSettings(Settings):
    """Settings of an adapter."""

    method: Literal["lora", "bottleneck", "prefix", "prompt", "p-tuning-v2"]
    rank: int = Field(default=8, ge=1)  # of LoRA
    alpha: float = Field(default=16.0, gt=0)  # LoRA's product is scaled by alpha / rank
    dropout: float = Field(default=0.0, ge=0, lt=1)  # of LoRA's inputs
    targets: list[Target] | None = None  # layers that lora and bottleneck change; None: TARGETS
    width: int = Field(default=32, ge=1)  # of a bottleneck
    tokens: int = Field(default=20, ge=1)  # virtual tokens of prefix, prompt and p-tuning-v2; they shorten the context
    hidden: int = Field(default=512, ge=1)  # width of the MLP of prefix tuning

    @property
    def virtual_tokens(self) -> int:
        """Positions of the context that the adapter takes."""
        return 0 if self.method in TARGETS else self.tokens


def attach(model: GPT, settings: AdapterSettings, seed: int = 0) -> None:
    """Freeze the model and attach an adapter, in place. Raise RecipeError if the model has one, or has no room."""
    if "adapter" in model.changes:
        raise RecipeError("the model has an adapter already; export-model merges LoRA, others must be trained anew")
    model.requires_grad_(False)
    generator, method, shape = torch.Generator().manual_seed(seed), settings.method, model.shape
    if method in TARGETS:
        targets = tuple(settings.targets or TARGETS[method])

        def adapted(name, linear):
            if not name.endswith(targets):
                return None
            if method == "lora":
                return LoRALinear(linear, settings.rank, settings.alpha, settings.dropout, generator)
            return BottleneckLinear(linear, settings.width, generator)

        if not replace_linears(model, adapted):
            found = "is quantized" if "quantize" in model.changes else f"has no layer {' or '.join(targets)}"
            raise RecipeError(f"the model {found}; choose others by adapter.targets, or method prefix")
    else:
        if method == "prompt" and not shape.causal:
            raise RecipeError("prompt tuning needs a causal model; choose prefix or p-tuning-v2")
        if settings.tokens >= shape.context:
            raise RecipeError(f"adapter.tokens {settings.tokens} leaves no room in the context of {shape.context}")
        if method == "prompt":
            model.prefix = PromptTuning(model, settings.tokens, generator)
        else:
            hidden = settings.hidden if method == "prefix" else None
            model.prefix = PrefixTuning(model, settings.tokens, hidden, generator)
        model.shape = shape.model_copy(update={"context": shape.context - settings.tokens})
    model.changes = {**model.changes, "adapter": settings}
