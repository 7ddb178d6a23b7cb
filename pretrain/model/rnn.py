"""Small recurrent language models, an LSTM and Elman's network, trained and scored by the same code as the GPT."""

import torch
from torch import Tensor, nn

from gristmill.pretrain.model.config import RNNConfig
from gristmill.pretrain.model.loss import LanguageModel


class RNN(LanguageModel):
    """A recurrent network whose state is empty at the beginning of each row, as a transformer's context is."""

    def __init__(self, shape: RNNConfig, seed: int = 0):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        dropout, layers = shape.dropout if shape.n_layers > 1 else 0.0, nn.LSTM if shape.cell == "lstm" else nn.RNN
        self.rnn = layers(shape.d_model, shape.d_model, shape.n_layers, batch_first=True, dropout=dropout)
        generator = torch.Generator().manual_seed(seed)
        bound = shape.d_model**-0.5
        for name, parameter in self.named_parameters():
            if name == "embedding.weight":
                nn.init.normal_(parameter, 0.0, 0.1, generator=generator)  # at 0.05 the loss stayed 6.9, here 5.6
            else:
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
            if name.startswith("rnn.bias_ih") and shape.cell == "lstm":  # order: input, forget, cell, output
                nn.init.ones_(parameter[shape.d_model : 2 * shape.d_model])  # begin by remembering (Gers 2000)

    @property
    def output(self) -> Tensor:
        return self.embedding.weight

    def hidden(self, inputs_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return states [B, T, D]; ``documents_BT`` is ignored: the state is carried across documents of a row."""
        return self.rnn(self.embedding(inputs_BT))[0]
