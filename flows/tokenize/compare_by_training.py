"""Compare tokenizers by the models that equal compute gives with them: bits per byte of held-out documents."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.compare import read_texts
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer
from gristmill.tokenizers_lab.tokenizer import Tokenizer

SEEDS = 3
HELD_OUT = 10  # one document in ten


def compare_by_training(
    tokenizers: Sequence[str],
    corpus: Sequence[str],
    max_mb: float,
    steps: int,
    on_log: Callable[[dict], None] = lambda line: None,
) -> list[dict]:
    """Train a nano GPT with each tokenizer, SEEDS times, on nine tenths of the documents, and score the others.

    The first tokenizer's models take ``steps`` steps, the others as many as their FLOPs allow: a larger vocabulary has
    fewer. Return a row per tokenizer: steps, mean ``bits_per_byte``, and from the second one on its ``difference`` to
    the first with the bootstrap's 95 % ``interval`` over seeds and documents. Raises InputError for too few documents.
    """
    from gristmill.pretrain.baselines import train_model
    from gristmill.pretrain.evaluation.perplexity import score_documents
    from gristmill.pretrain.impact.bootstrap import bits_per_byte, bootstrap
    from gristmill.pretrain.model.config import ModelConfig
    from gristmill.pretrain.model.devices import Machine
    from gristmill.pretrain.model.gpt import GPT
    from gristmill.pretrain.training.trainer import TrainSettings

    texts = [text for text in read_texts(corpus, max_mb)[0] if text]
    held = [text for text in texts if _digest(text) % HELD_OUT == 0]
    training_texts = [text for text in texts if _digest(text) % HELD_OUT]
    if len(held) < 2 or not training_texts:
        raise InputError(f"{' '.join(corpus)} holds {len(texts):,} documents, too few to train and to score; add text")
    rows: list[dict] = []
    compute, first = 0.0, np.empty(0)
    for path in tokenizers:
        tokenizer = open_tokenizer(path)
        train, scored = (_split(tokenizer, some) for some in (training_texts, held))
        shape = ModelConfig(vocab_size=tokenizer.model.size)
        compute = compute or steps * shape.flops_per_token()
        taken, nats = max(1, round(compute / shape.flops_per_token())), []
        for seed in range(SEEDS):
            model, settings = GPT(shape, seed), TrainSettings(steps=taken, seed=seed, init_seed=seed)
            about = {"tokenizer": path, "seed": seed}
            train_model(model, train, settings, Machine(), lambda line, about=about: on_log(about | line))
            nats.append(score_documents(model, scored, shape.context).nats)
        losses = np.array(nats)
        row: dict[str, Any] = {"steps": taken, "bits_per_byte": float(bits_per_byte(losses, scored.bytes).mean())}
        if rows:
            difference = row["bits_per_byte"] - rows[0]["bits_per_byte"]
            row |= {"difference": difference, "interval": [*bootstrap(losses, first, scored.bytes)]}
        else:
            first = losses
        rows.append(row)
    return rows


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _split(tokenizer: Tokenizer, texts: list[str]):
    """Return documents as tokens, each with the end marker if the tokenizer has one."""
    from gristmill.pretrain.data.batches import TokenSplit

    rows, end = Ragged.from_strings(texts), tokenizer.model.role("eos")
    ids = tokenizer(rows)
    data = ids.data if end is None else np.insert(ids.data, ids.offsets[1:], end)
    ends = ids.offsets[1:] + (0 if end is None else np.arange(1, ids.rows + 1))
    sizes, of = np.diff(rows.offsets), tokenizer.model.size
    return TokenSplit(payloads=(data,), ends=ends, bytes=sizes, vocab_size=of, eos=end)
