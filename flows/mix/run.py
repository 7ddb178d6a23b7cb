"""Search for a mixture: tokenize each source once, train a swarm, fit a law, compare the optimum on a guard.

WORK/mix.json  the result; WORK/mix.toml, the tables for a recipe, if the mixture is better than the natural one
"""

import time
from collections.abc import Callable

import numpy as np
from upath import UPath

from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.documents.samples import MANY_EPOCHS
from gristmill.flows.impact.plan import RUNS
from gristmill.flows.mix.mixture_law import Optimum, cap_shares, optimize
from gristmill.flows.mix.report import Found, write_result
from gristmill.flows.mix.settings import Mixing
from gristmill.flows.mix.sources import clean_documents, natural_shares, prepare_sources, tokenize_sources
from gristmill.flows.mix.swarm import GOLDEN, Swarm, as_matrix, mixed_run, proxy_caps, stratified
from gristmill.flows.proxies.budget import forget, guard_seeds, runs_within
from gristmill.flows.proxies.heldout import Pieces, prepare_heldout, unseen_pieces
from gristmill.flows.proxies.runs import ProxyRun, proxy_step, read_scored, trained_tokens
from gristmill.flows.proxies.tokenizer import shared_tokenizer
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step

PILOT = 2  # runs: the natural and the stratified mixture
RUNS_PER_SOURCE = 3  # the least of a swarm: its law has a slope for each source
GUARD_SEED = 1_000_000  # first seed of the guard: other initial weights and another order
ARMS = ("mixed", "natural", "stratified")


def mix(
    mixing: Mixing,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    on_log: Callable[[str], None] = lambda line: None,
) -> dict:
    """Search for a mixture and return the result, as in ``WORK/mix.json``; ``on_log`` gets the plan.

    Runs of earlier searches in the folder count, also if sources have come since. Raises RecipeError for a column
    without sources, for too little text, and for a budget that is too small for a law.
    """
    progress = progress or NullProgress()
    with exclusive_run(work):
        search = Search(mixing, work, engine, progress, on_log)
        seeds = search.plan()
        optimum = search.fit()
        return write_result(work, search.found(optimum, seeds))


class Search:
    """A search in its folder."""

    def __init__(self, mixing: Mixing, work: UPath, engine: Engine, progress: Progress, on_log: Callable[[str], None]):
        self.mixing, self.work, self.on_log, self.began = mixing, work, on_log, time.perf_counter()
        self.engine, self.progress, self.proxy = engine, progress, mixing.proxy
        documents = clean_documents(mixing.corpus)
        self.sources = prepare_sources(documents, mixing.column, work, engine, progress)
        tokenizer = shared_tokenizer(self.proxy.tokenizer, documents, work, engine, progress, keep=True)
        tokenize_sources(self.sources, tokenizer, engine, progress)
        folders = {source.documents.name: source.documents for source in self.sources}
        self.heldout = prepare_heldout(work, self.proxy.heldout, folders, tokenizer, engine, progress)
        self.pieces: Pieces = unseen_pieces(work, self.proxy.heldout, list(folders))
        self.tokens = trained_tokens(self.proxy)
        self.natural = natural_shares(self.sources)
        self.target_tokens = mixing.train_tokens or sum(source.size for source in self.sources)
        most = np.array([source.size for source in self.sources]) * mixing.max_epochs
        if most.sum() < self.target_tokens:
            raise RecipeError(
                f"the sources hold {most.sum() / mixing.max_epochs:,.0f} tokens, and {mixing.max_epochs:g} epochs of "
                f"them are fewer than the {self.target_tokens:,} to train; raise --max-epochs or lower --train-tokens"
            )
        self.caps = np.minimum(proxy_caps(self.sources, self.tokens), np.minimum(1.0, most / self.target_tokens))
        self.caps /= min(1.0, self.caps.sum())
        self.swarm = Swarm(work, self.sources, self.tokens)
        self.runs: dict[int, ProxyRun] = {}  # number in the swarm -> run

    def plan(self) -> int:
        """Train the swarm of the budget; return the runs of each arm of the guard.

        A time is turned into runs once, by the first two runs in the folder: the same command has the same plan.
        """
        swarm, began = self.swarm, time.perf_counter()
        if swarm.seconds is None:
            forget(self.work / RUNS / "swarm")
        self._train(swarm.extend(PILOT)[:PILOT] if swarm.seconds is None else swarm.current)
        if swarm.seconds is None:
            swarm.seconds = round((time.perf_counter() - began) / PILOT, 2)
            swarm.write()
        total = runs_within(self.mixing.budget, 0.0, swarm.seconds, 0)
        seeds = guard_seeds(total, len(ARMS))
        count, trained = total - len(ARMS) * seeds, len(self.runs)
        if count < (least := RUNS_PER_SOURCE * len(self.sources)):
            raise RecipeError(
                f"the budget allows {max(0, count)} runs of the swarm, expected {least} or more for "
                f"{len(self.sources)} sources; raise --budget to {2 * least}runs or lower --set train.steps"
            )
        count = max(count, len(swarm.current) + RUNS_PER_SOURCE * len(swarm.unseen()))
        self.on_log(
            f"Plan: {len(self.sources)} sources, {count} runs of a swarm ({trained} there already) and "
            f"{len(ARMS) * seeds} to guard, about {(count - trained + len(ARMS) * seeds) * swarm.seconds / 60:.0f} "
            f"minutes at {swarm.seconds:.1f} seconds a run"
        )
        self._train(swarm.extend(count))
        return seeds

    def _train(self, numbers: list[int]) -> None:
        """Train runs of the swarm; a run of the same number and mixture is not repeated."""
        folder = self.work / RUNS / "swarm"
        for k in numbers:
            mixture, start = self.swarm.mixtures[k], k * GOLDEN % 1.0
            self.runs[k] = mixed_run(folder, f"mix-{k:05d}", self.proxy, mixture, self.sources, self.heldout, k, start)
        run_step(proxy_step(list(self.runs.values())), self.engine, self.progress)

    def fit(self) -> Optimum:
        """Fit the laws to the swarm; return the best shares and their bootstrap."""
        numbers = sorted(self.runs)
        scored = read_scored({str(k): [self.runs[k]] for k in numbers}, self.pieces.search)
        losses = np.array([[scored.losses(str(k), name)[0] for name in self.sets] for k in numbers])
        shares = as_matrix([self.swarm.mixtures[k] for k in numbers], self.sources)
        return optimize(shares, losses, self.natural, self.caps, self._baselines(), self.mixing.kl_weight)

    @property
    def sets(self) -> list[str]:
        """The sets of the experiment, which decide with equal weight; without them, Python's manual."""
        return list(self.proxy.heldout.sets) or [self.proxy.heldout.deciding]

    def _baselines(self) -> np.ndarray:
        """Return the natural and the stratified shares, float64 [2, sources], as far as a proxy run can read them."""
        return np.array([cap_shares(self.natural, self.swarm.caps), stratified(self.sources, self.swarm.caps)])

    def found(self, optimum: Optimum, seeds: int) -> Found:
        """Train the guard's runs on the best, the natural and the stratified shares; return all that is reported."""
        shares = dict(zip(ARMS, (optimum.shares, *self._baselines()), strict=True))
        names, folder, runs = [source.name for source in self.sources], self.work / RUNS / "guard", {}
        for arm, each in shares.items():
            mixture = dict(zip(names, each.tolist(), strict=True))
            about = self.proxy, mixture, self.sources, self.heldout
            runs[arm] = [mixed_run(folder, f"{arm}-{k}", *about, GUARD_SEED + k, k / seeds) for k in range(seeds)]
        run_step(proxy_step([run for mine in runs.values() for run in mine]), self.engine, self.progress)
        parts = seeds if self.tokens * seeds <= MANY_EPOCHS * sum(source.size for source in self.sources) else 1
        scored = read_scored(runs, self.pieces.guard, parts)
        about = self.mixing, self.sources, self.sets, self.natural, self.caps
        return Found(*about, optimum, shares, scored, len(self.runs))
