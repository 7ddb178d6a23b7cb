"""A small LSTM language model: what came before transformers, trained and scored by the same code."""

import torch
from pydantic import Field
from torch import Tensor, nn

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.model.loss import LanguageModel


class LSTMConfig(Settings):
    """Zaremba and others (1409.2329), with the output matrix tied to the embedding (1608.05859)."""

    vocab_size: int = Field(ge=1)
    context: int = Field(default=128, ge=1)
    n_layers: int = Field(default=2, ge=1)
    d_model: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    def matrices(self) -> int:
        """Parameters that each token is multiplied with."""
        return 8 * self.n_layers * self.d_model**2 + self.vocab_size * self.d_model

    def flops_per_token(self) -> float:
        return 6.0 * self.matrices()


class LSTM(LanguageModel):
    """Each row begins with an empty memory, as a transformer's does."""

    def __init__(self, shape: LSTMConfig, seed: int = 0):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        dropout = shape.dropout if shape.n_layers > 1 else 0.0  # between layers
        self.lstm = nn.LSTM(shape.d_model, shape.d_model, shape.n_layers, batch_first=True, dropout=dropout)
        generator = torch.Generator().manual_seed(seed)
        bound = shape.d_model**-0.5
        for name, parameter in self.named_parameters():
            if name == "embedding.weight":
                nn.init.normal_(parameter, 0.0, 0.1, generator=generator)  # 0.05 stayed at 6.9 nats, 0.1 came to 5.6
            else:
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            if name.startswith("lstm.bias_ih"):  # input, forget, cell, output: begin by remembering (Gers 2000)
                nn.init.ones_(parameter[shape.d_model : 2 * shape.d_model])

    @property
    def output(self) -> Tensor:
        return self.embedding.weight

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Knows no documents: its memory runs on through the row."""
        return self.lstm(self.embedding(inputs_BT))[0]
