"""Settings of a search for a mixture."""

from typing import NamedTuple

from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.proxies.budget import Budget


class Mixing(NamedTuple):
    """Corpus, column and means of a search."""

    corpus: str  # work folder
    column: str
    budget: Budget
    proxy: ImpactRecipe  # model, training, tokenizer and held-out sets
    train_tokens: int | None  # of the model that the mixture is for; None: as many as the corpus has
    max_epochs: float  # of a source in that model's training
    kl_weight: float
