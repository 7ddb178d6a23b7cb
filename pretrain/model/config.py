"""What a model looks like: its shape as settings, sizes that have a name, parameters and FLOPs counted on paper."""

from typing import Literal

from pydantic import Field, model_validator

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings, nearest

Count = Field(ge=1)
GATED = ("swiglu", "geglu")  # activations of two matrices, one of them the gate


class ModelConfig(Settings):
    """A transformer of the GPT kind; the defaults are the preset ``nano``, shaped like Llama.

    ``None`` ("off" in a recipe) means the usual: as many key heads as heads, and an MLP of 4 widths, or where it is
    gated 8/3 of a width in whole multiples of 64, so that both kinds have about as many parameters.
    """

    vocab_size: int = Count
    context: int = Field(default=128, ge=1)  # T: tokens that a prediction may look back on
    n_layers: int = Field(default=4, ge=1)
    d_model: int = Field(default=128, ge=1)  # D
    n_heads: int = Field(default=4, ge=1)  # H
    n_kv_heads: int | None = Field(default=None, ge=1)  # K: fewer than heads is grouped-query attention (2305.13245)
    mlp_hidden: int | None = Field(default=None, ge=1)  # width of the MLP
    norm: Literal["rms", "layer"] = "rms"
    mlp: Literal["swiglu", "geglu", "gelu", "gelu-erf", "relu2"] = "swiglu"  # gelu is GPT-2's, by tanh
    position_encoding: Literal["rope", "alibi", "learned", "sinusoidal"] = "rope"
    rope_theta: float = Field(default=10_000.0, gt=0)
    qk_norm: bool = False  # queries and keys to unit RMS, which bounds the logits of attention (2302.05442)
    tie_embeddings: bool = True  # the embedding is the output matrix too
    bias: bool = False
    norm_eps: float = Field(default=1e-5, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    causal: bool = True  # False: every token sees all others, for the masked objective

    @model_validator(mode="after")
    def _fits(self):
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        if self.n_heads % self.key_heads:
            raise ValueError(f"n_heads {self.n_heads} is not a multiple of n_kv_heads {self.key_heads}")
        if self.position_encoding == "rope" and self.head_dim % 2:
            raise ValueError(f"RoPE turns pairs: d_model / n_heads is {self.head_dim}, expected an even number")
        return self

    @property
    def head_dim(self) -> int:
        """C: width of one head."""
        return self.d_model // self.n_heads

    @property
    def key_heads(self) -> int:
        return self.n_kv_heads or self.n_heads

    @property
    def mlp_width(self) -> int:
        if self.mlp_hidden:
            return self.mlp_hidden
        return (8 * self.d_model // 3 + 63) // 64 * 64 if self.mlp in GATED else 4 * self.d_model

    @property
    def rows(self) -> int:
        """Rows of the embedding: the vocabulary, a mask token where it is needed, filled up to a multiple of 64.

        GPUs multiply such shapes 10 to 25 % faster; the loss and all logits are of the real vocabulary alone.
        """
        return (self.vocab_size + (not self.causal) + 63) // 64 * 64

    @property
    def mask_id(self) -> int:
        """The token that hides another, for the masked objective."""
        return self.vocab_size

    def matrices(self) -> int:
        """Parameters that each token is multiplied with, the output matrix among them (even where it is tied)."""
        attention = self.d_model * self.head_dim * (self.n_heads + 2 * self.key_heads) + self.d_model**2
        mlp = (3 if self.mlp in GATED else 2) * self.d_model * self.mlp_width
        return self.n_layers * (attention + mlp) + self.vocab_size * self.d_model

    def flops_per_token(self) -> float:
        """Of training: 6 a matrix parameter, and 12 L D T for attention (PaLM, 2204.02311, appendix B).

        Counts all T keys, though a causal mask needs half of them, as do nanoGPT, llm.c and the papers that quote MFU.
        """
        return 6.0 * self.matrices() + 12.0 * self.n_layers * self.d_model * self.context


PRESETS: dict[str, dict] = {
    "nano": {},  # 0.8 M without embeddings: seconds to minutes on one core
    "nano-3m": {"context": 256, "n_layers": 4, "d_model": 256, "n_heads": 4},
    "nano-10m": {"context": 256, "n_layers": 6, "d_model": 384, "n_heads": 6},
    "nano-25m": {"context": 512, "n_layers": 8, "d_model": 512, "n_heads": 8},
    "nano-gpt2": {"norm": "layer", "mlp": "gelu", "position_encoding": "learned", "bias": True},
    "nano-bert": {"norm": "layer", "mlp": "gelu-erf", "position_encoding": "learned", "bias": True, "causal": False},
    "gpt2-124m": {
        **{"context": 1024, "n_layers": 12, "d_model": 768, "n_heads": 12},
        **{"norm": "layer", "mlp": "gelu", "position_encoding": "learned", "bias": True},
    },
    "llama-124m": {"context": 1024, "n_layers": 12, "d_model": 768, "n_heads": 12, "n_kv_heads": 4},
    "llama-350m": {"context": 2048, "n_layers": 24, "d_model": 1024, "n_heads": 16, "n_kv_heads": 8},
}


def preset(name: str, vocab_size: int, **changes) -> dict:
    """The settings of a named shape with some changed, for `read_settings`."""
    if name not in PRESETS:
        raise RecipeError(f"no preset {name!r}; {nearest(name, list(PRESETS))}")
    return {"vocab_size": vocab_size, **PRESETS[name], **changes}
