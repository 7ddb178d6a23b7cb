"""A small LSTM language model, trained and scored by the same code as the GPT."""

import torch
from torch import Tensor, nn

from gristmill.pretrain.model.config import LSTMConfig
from gristmill.pretrain.model.loss import LanguageModel


class LSTM(LanguageModel):
    """An LSTM whose state is empty at the beginning of each row, as a transformer's context is."""

    def __init__(self, shape: LSTMConfig, seed: int = 0):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        dropout = shape.dropout if shape.n_layers > 1 else 0.0
        self.lstm = nn.LSTM(shape.d_model, shape.d_model, shape.n_layers, batch_first=True, dropout=dropout)
        generator = torch.Generator().manual_seed(seed)
        bound = shape.d_model**-0.5
        for name, parameter in self.named_parameters():
            if name == "embedding.weight":
                nn.init.normal_(parameter, 0.0, 0.1, generator=generator)  # at 0.05 the loss stayed 6.9, here 5.6
            else:
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            if name.startswith("lstm.bias_ih"):  # order: input, forget, cell, output. Begin by remembering (Gers 2000)
                nn.init.ones_(parameter[shape.d_model : 2 * shape.d_model])

    @property
    def output(self) -> Tensor:
        return self.embedding.weight

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return states [B, T, D]; ``documents_BT`` is ignored: the state is carried across documents of a row."""
        return self.lstm(self.embedding(inputs_BT))[0]
