"""Runs of small models on documents drawn from token shards: nothing is tokenized for a run.

WORK/runs/STAGE/NAME.parquet  the loss on each evaluation piece: id, set, tokens, nats, bytes
"""

import hashlib
from typing import NamedTuple

import numpy as np
import polars as pl
from upath import UPath

from gristmill.flows.impact.documents.samples import document_hashes
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.impact.verdicts import Scored
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.step import Input, Job, Output, Step, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pipelines.tokens.shuffle import scramble
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.training.trainer import TrainSettings

DRAW = 6  # salt of the hash that chooses documents


class Draw(NamedTuple):
    """Documents that a run reads of one folder of token shards, in the order of hashes of their ids."""

    folder: UPath
    start: float = 0.0  # where it begins among the hashes, as a share of them all
    share: float = 1.0  # of the hashes, from there on
    tokens: int | None = None  # to read, again from the start where the documents are fewer; None: each once
    allowed: bytes = b""  # bits of the documents to draw from, in the order of the shards; empty: all

    def rows(self, hashes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the documents, int64 [k], given the hashes of the ids and the tokens of all documents of the folder.

        >>> hashes, ones = np.arange(1000, dtype=np.uint64), np.ones(1000, int)
        >>> halves = [Draw(UPath("x"), start, 0.5).rows(hashes, ones) for start in (0, 0.5)]
        >>> sorted(np.concatenate(halves).tolist()) == list(range(1000))
        True
        """
        turned = scramble(hashes, DRAW) - np.uint64(int(self.start * 2**64) % 2**64)  # wraps around
        chosen = turned / 2.0**64 < self.share
        if self.allowed:
            chosen &= np.unpackbits(np.frombuffer(self.allowed, np.uint8), count=hashes.size).astype(bool)
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(turned[rows], kind="stable")]
        there = int(lengths[rows].sum())
        return np.tile(rows, -(-self.tokens // there)) if self.tokens and there else rows

    def about(self) -> list:
        """Return as JSON all that the rows depend on besides the shards."""
        allowed = hashlib.sha256(self.allowed).hexdigest() if self.allowed else None
        return [self.start, self.share, self.tokens, allowed]


class ProxyRun(NamedTuple):
    """Model to train and to score."""

    folder: UPath  # of the losses
    name: str
    draws: tuple[Draw, ...]
    shape: ModelConfig
    training: TrainSettings
    heldout: UPath  # token shards of the evaluation pieces


def make_run(
    proxy: ImpactRecipe, folder: UPath, name: str, draws: tuple[Draw, ...], seed: int, heldout: UPath
) -> ProxyRun:
    """Return run number ``seed``; it has the seeds of [train] plus this number."""
    shape, training = proxy.shape(TokenShards(heldout).vocab_size), proxy.train
    seeds = {"seed": training.seed + seed, "init_seed": training.init_seed + seed}
    return ProxyRun(folder, name, draws, shape, training.model_copy(update=seeds), heldout)


def trained_tokens(proxy: ImpactRecipe) -> int:
    """Return the number of tokens that a run reads."""
    return proxy.train.steps * proxy.train.batch_size * proxy.shape(max(300, proxy.tokenizer.vocab_size)).context


def proxy_step(runs: list[ProxyRun]) -> Step:
    """Return the step with all runs of one folder; finished ones are not repeated."""
    jobs, folder = [], runs[0].folder
    for run in runs:
        inputs = (*(Input(draw.folder) for draw in run.draws), Input(run.heldout))
        made_with = [run.shape.model_dump(), run.training.model_dump(), [draw.about() for draw in run.draws]]
        jobs.append(Job(train_proxy, (run,), (Output(folder, run.name, inputs, made_with),)))
    return Step(f"train {folder.name}", {folder: {"runs": [run.name for run in runs]}}, jobs)


def train_proxy(run: ProxyRun, outputs: tuple[Output, ...]) -> list[Written]:
    """Train one model and score every evaluation piece in full."""
    from gristmill.pretrain.data.batches import TokenSplit
    from gristmill.pretrain.impact.proxy import train_and_score

    splits, heldout = [], TokenShards(run.heldout)
    for draw in run.draws:
        shards = TokenShards(draw.folder)
        whole = TokenSplit.from_shards(shards, TRAIN)
        rows = draw.rows(document_hashes(shards), whole.lengths)
        splits.append(whole.take(rows, whole.name, draw.about(), tokens=draw.tokens))
    train, evaluation = TokenSplit.join(splits, run.name), TokenSplit.from_shards(heldout, TRAIN)
    losses = train_and_score(train, evaluation, run.shape, run.training)
    names = pl.concat([pl.DataFrame(part.documents) for part in heldout.split(TRAIN)])
    scores = names.select(
        ID, pl.Series("tokens", losses.tokens), pl.Series("nats", losses.nats), pl.Series("bytes", losses.bytes),
        set=SOURCE,
    )  # fmt: skip
    with atomic_write(outputs[0].path) as file:
        scores.sort(ID).write_parquet(file)
    return [Written([outputs[0].path.name], {"tokens": train.count})]


def read_scored(runs: dict[str, list[ProxyRun]], pieces: pl.Series, parts: int = 0) -> Scored:
    """Return the losses on the pieces with these ids, for the runs of each arm.

    ``parts``: the number of runs of an arm that share no document; 0: all.
    """
    nats, frame = {}, pl.DataFrame()
    for arm, mine in runs.items():
        rows = []
        for run in mine:
            frame = pl.read_parquet(str(run.folder / f"{run.name}.parquet"), glob=False)
            frame = frame.filter(pl.col(ID).is_in(pieces.implode()))
            rows.append(frame["nats"].to_numpy())
        nats[arm] = np.array(rows)
    return Scored(nats, frame["bytes"].to_numpy(), frame["set"].to_numpy(), parts)
