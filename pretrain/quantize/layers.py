"""Linear layers with packed weights, W8A32 or W8A16 and their like with 2 and 4 bits."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.adapters.lora import LoRALinear
from gristmill.pretrain.model.linears import replace_linears
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.quantize.scheme import Quantized, QuantizeSettings, pack, quantize, unpack


class QuantizedLinear(nn.Module):
    """A linear layer whose weight is dequantized at each call, in the dtype in which it multiplies."""

    codes: Tensor
    scale: Tensor
    zero: Tensor

    def __init__(self, linear: nn.Linear, settings: QuantizeSettings):
        super().__init__()
        self.settings, self.columns = settings, linear.in_features
        found = quantize(linear.weight, settings)
        self.register_buffer("codes", pack(found.codes.flatten(1), settings.bits))
        self.register_buffer("scale", found.scale)
        self.register_buffer("zero", found.zero.to(torch.int8))
        self.bias = linear.bias
        self.dtype = getattr(torch, settings.activations)

    def weight(self) -> Tensor:
        """Return the weight [out, in] as float32."""
        codes = unpack(self.codes, self.settings.bits, self.columns)
        groups = self.scale.shape[1]
        return Quantized(codes.unflatten(1, (groups, -1)), self.scale, self.zero.float()).dequantize().flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(self.dtype)
        return F.linear(x.to(self.dtype), self.weight().to(self.dtype), bias).to(x.dtype)


def quantize_model(model: LanguageModel, settings: QuantizeSettings) -> dict[str, Tensor]:
    """Quantize the linear layers of a model in place; return the mean squared error of each by its name.

    Embeddings and the output matrix stay. Raises RecipeError if nothing is left to quantize, or if it was done before.
    """
    if "quantize" in model.changes:
        raise RecipeError("the model is quantized already; quantize the run that it was made from")
    if any(isinstance(module, LoRALinear) for module in model.modules()):
        raise RecipeError("the model has LoRA layers; merge them by export-model and quantize the export")
    exclude, errors = tuple(settings.exclude), {}

    def quantized(name: str, linear: nn.Linear) -> nn.Module | None:
        if name.startswith(exclude) or name.endswith(exclude):
            return None
        layer = QuantizedLinear(linear, settings)
        errors[name] = (layer.weight() - linear.weight.detach()).square().mean()
        return layer

    if not replace_linears(model, quantized):
        raise RecipeError("the model has no linear layer left to quantize; shorten quantize.exclude")
    model.requires_grad_(False)
    model.changes = {**model.changes, "quantize": settings}
    return errors
