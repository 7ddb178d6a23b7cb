"""Model configurations: settings, presets, and their parameters and FLOPs counted on paper."""

from typing import Literal

from pydantic import Field, model_validator

from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.settings import Settings

GATED = ("swiglu", "geglu")  # activations of two matrices, one of them the gate
BUCKETS, MAX_DISTANCE = 32, 128  # of distances, in all T5 models


class ModelConfig(Settings):
    """A decoder, an encoder or both; the defaults are the preset ``nano``, shaped like Llama.

    ``None`` ("off" in a recipe) means the usual size: ``n_kv_heads`` = ``n_heads``, ``head_width`` = ``d_model`` /
    ``n_heads``, and an MLP of 4 ``d_model``. A gated one has 8/3 ``d_model``, rounded up to a multiple of 64: about as
    many parameters.
    """

    vocab_size: int = Field(ge=1)
    context: int = Field(default=128, ge=1, le=1 << 20)  # T: tokens that one prediction can attend to
    n_layers: int = Field(default=4, ge=1)
    d_model: int = Field(default=128, ge=1)  # D
    n_heads: int = Field(default=4, ge=1)  # H
    n_kv_heads: int | None = Field(default=None, ge=1)  # K: below H it is grouped-query attention (2305.13245)
    head_width: int | None = Field(default=None, ge=1)  # C
    mlp_hidden: int | None = Field(default=None, ge=1)
    norm: Literal["rms", "layer"] = "rms"
    mlp: Literal["swiglu", "geglu", "gelu", "gelu-erf", "relu", "relu2"] = "swiglu"  # gelu: GPT-2's tanh approximation
    position_encoding: Literal["rope", "alibi", "learned", "sinusoidal", "relative"] = "rope"  # relative: T5's biases
    rope_theta: float = Field(default=10_000.0, gt=0)
    qk_norm: bool = False  # normalize queries and keys to unit RMS, which bounds attention logits (2302.05442)
    tie_embeddings: bool = True  # the output matrix is the embedding
    bias: bool = False
    norm_eps: float = Field(default=1e-5, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    norm_position: Literal["pre", "post", "deep"] = "pre"  # post: after the sum; deep: DeepNorm (2203.00555)
    window: int | None = Field(default=None, ge=1)  # tokens that one attends to in a direction, itself included
    prefix_decoder: bool = False  # tokens before the first target of a document attend to each other both ways
    encoder_layers: int | None = Field(default=None, ge=1)  # blocks of an encoder, which the others attend to (T5)
    n_experts: int | None = Field(default=None, ge=2)  # MLPs per layer, of which a router chooses for each token
    experts_per_token: int = Field(default=2, ge=1)
    balance_weight: float = Field(default=0.01, ge=0)  # of the loss that balances experts (2101.03961)
    embedding_norm: bool = False  # norm after the embeddings, as in BERT
    mlm_head: bool = False  # BERT's: a layer, activation and norm before the output matrix, which has a bias
    mask_token: int | None = Field(default=None, ge=0)  # mask token of the vocabulary; None: an id after it
    causal: bool = True  # False: every token attends to all others, for the masked objective

    @model_validator(mode="after")
    def _fits(self):
        if not self.head_width and self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}: set head_width")
        if self.n_heads % self.key_heads:
            raise ValueError(f"n_heads {self.n_heads} is not a multiple of n_kv_heads {self.key_heads}")
        if self.position_encoding == "rope" and self.head_dim % 2:
            raise ValueError(f"RoPE rotates pairs: a head has a width of {self.head_dim}, expected an even number")
        if self.n_experts and self.experts_per_token > self.n_experts:
            raise ValueError(f"experts_per_token {self.experts_per_token} is above n_experts {self.n_experts}")
        if self.prefix_decoder and not self.causal:
            raise ValueError("prefix_decoder needs causal = true: without it all tokens attend to each other")
        if self.encoder_layers and (not self.causal or self.prefix_decoder or self.norm_position == "deep"):
            raise ValueError("encoder_layers needs causal = true, without prefix_decoder and norm_position = 'deep'")
        if self.mask_id > self.vocab_size:
            raise ValueError(f"mask_token {self.mask_token} is not in the vocabulary of {self.vocab_size}")
        return self

    @property
    def head_dim(self) -> int:
        """Width of one head (C)."""
        return self.head_width or self.d_model // self.n_heads

    @property
    def key_heads(self) -> int:
        return self.n_kv_heads or self.n_heads

    @property
    def qkv_rows(self) -> list[int]:
        """Rows of the query, key and value matrices."""
        return [heads * self.head_dim for heads in (self.n_heads, self.key_heads, self.key_heads)]

    @property
    def mlp_width(self) -> int:
        if self.mlp_hidden:
            return self.mlp_hidden
        return (8 * self.d_model // 3 + 63) // 64 * 64 if self.mlp in GATED else 4 * self.d_model

    @property
    def residual_scale(self) -> float:
        """Factor of the residual stream: (2L)^(1/4) with DeepNorm."""
        return (2 * self.n_layers) ** 0.25 if self.norm_position == "deep" else 1.0

    @property
    def rows(self) -> int:
        """Rows of the embedding: the vocabulary, the mask token of a masked model, and padding to a multiple of 64.

        GPUs multiply such shapes 10 to 25 % faster. Loss and logits cover the real vocabulary only.
        """
        return (max(self.vocab_size, 0 if self.causal else self.mask_id + 1) + 63) // 64 * 64

    @property
    def mask_id(self) -> int:
        """Id of the token that hides others in the masked objective."""
        return self.vocab_size if self.mask_token is None else self.mask_token

    def matrices(self, all_experts: bool = False) -> int:
        """Count the parameters that each token is multiplied with, including the output matrix, tied or not.

        Of the experts those of a token count, or all.
        """
        attention, mlp = self._sublayers(all_experts)
        decoder = self.n_layers * (attention * (2 if self.encoder_layers else 1) + mlp)
        head = (self.vocab_size + self.mlm_head * self.d_model) * self.d_model
        return decoder + (self.encoder_layers or 0) * (attention + mlp) + head

    def _sublayers(self, all_experts: bool = False) -> tuple[int, int]:
        """Matrix parameters of attention and MLP."""
        mlp = (3 if self.mlp in GATED else 2) * self.d_model * self.mlp_width
        if self.n_experts:
            mlp = mlp * (self.n_experts if all_experts else self.experts_per_token) + self.n_experts * self.d_model
        return self.d_model * (sum(self.qkv_rows) + self.qkv_rows[0]), mlp

    def flops_per_token(self, read: float = 1.0, written: float = 1.0) -> float:
        """Count training FLOPs per token: 6 per matrix parameter, and 12 L H C T for attention (2204.02311, B).

        Counts all T keys although a causal mask needs half of them, like nanoGPT, llm.c and papers that report MFU. A
        window has its own number of keys, on both sides of a token of a masked model. Per token of text an encoder
        reads ``read`` tokens, and its decoder writes ``written``.
        """
        layers, reach = self.encoder_layers or 0, self.window or self.context
        read_keys, both_sides = read * self.context * bool(layers), 2 * reach - 1
        keys = min(written * self.context, reach if self.causal else both_sides) + read_keys
        encoder = layers * sum(self._sublayers()) + 2 * bool(layers) * self.n_layers * self.d_model * self.qkv_rows[1]
        scores = layers * read * min(read_keys, both_sides) + self.n_layers * written * keys
        return 6.0 * (read * encoder + written * (self.matrices() - encoder)) + 12.0 * self.qkv_rows[0] * scores


class RNNConfig(Settings):
    """An LSTM of Zaremba et al. (1409.2329) or Elman's network, the output matrix tied to the embedding (1608.05859).

    Elman's (Cognitive Science 14, 1990) is h(t) = tanh(W x(t) + U h(t-1) + b): the LSTM without gates and cell.
    """

    vocab_size: int = Field(ge=1)
    context: int = Field(default=128, ge=1, le=1 << 20)
    cell: Literal["lstm", "elman"] = "lstm"
    n_layers: int = Field(default=2, ge=1)
    d_model: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)  # between layers

    def matrices(self) -> int:
        """Count the parameters that each token is multiplied with."""
        return (8 if self.cell == "lstm" else 2) * self.n_layers * self.d_model**2 + self.vocab_size * self.d_model

    def flops_per_token(self) -> float:
        """Count training FLOPs per token."""
        return 6.0 * self.matrices()


GPT2 = {"norm": "layer", "mlp": "gelu", "position_encoding": "learned", "bias": True}
BERT = {**GPT2, "mlp": "gelu-erf", "causal": False, "norm_position": "post", "norm_eps": 1e-12}
BERT |= {"embedding_norm": True, "mlm_head": True}
T5 = {"encoder_layers": 4, "mlp": "relu", "position_encoding": "relative", "norm_eps": 1e-6}
PRESETS: dict[str, dict] = {
    "nano": {},  # 0.8 M parameters without embeddings: trains in seconds to minutes on one core
    "nano-3m": {"context": 256, "n_layers": 4, "d_model": 256, "n_heads": 4},
    "nano-10m": {"context": 256, "n_layers": 6, "d_model": 384, "n_heads": 6},
    "nano-25m": {"context": 512, "n_layers": 8, "d_model": 512, "n_heads": 8},
    # Proxies of large models in experiments on data, named by their parameters without embeddings.
    "proxy-100k": {"context": 128, "n_layers": 2, "d_model": 64, "n_heads": 2},  # 0.11 M; 0.24 M with 2,048 tokens
    "proxy-1m": {"context": 256, "n_layers": 5, "d_model": 128, "n_heads": 4},  # 1.07 M; 1.33 M
    "proxy-4m": {"context": 256, "n_layers": 5, "d_model": 256, "n_heads": 4},  # 4.02 M; 4.54 M
    "proxy-15m": {"context": 256, "n_layers": 12, "d_model": 320, "n_heads": 5},  # 15.2 M; 15.9 M
    "nano-gpt2": GPT2,
    "nano-moe": {"n_experts": 4},  # 2.6 M parameters without embeddings, 1.4 M of them per token
    "nano-bert": BERT,
    "nano-t5": T5,
    "gpt2-124m": {"context": 1024, "n_layers": 12, "d_model": 768, "n_heads": 12, **GPT2},
    "bert-base": {"context": 512, "n_layers": 12, "d_model": 768, "n_heads": 12, **BERT},
    "t5-small": {"context": 512, **T5, "n_layers": 6, "encoder_layers": 6, "d_model": 512, "n_heads": 8},
    "llama-124m": {"context": 1024, "n_layers": 12, "d_model": 768, "n_heads": 12, "n_kv_heads": 4},
    "llama-350m": {"context": 2048, "n_layers": 24, "d_model": 1024, "n_heads": 16, "n_kv_heads": 8},
}


def preset(name: str, vocab_size: int, **changes) -> dict:
    """Return the settings of a preset with some changed, for `read_settings`. Raise RecipeError for an unknown name."""
    if name not in PRESETS:
        raise RecipeError(f"no preset {name!r}; {nearest(name, list(PRESETS))}")
    return {"vocab_size": vocab_size, **PRESETS[name], **changes}
