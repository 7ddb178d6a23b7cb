"""Swarm: runs on mixtures drawn around the natural one.

Runs of earlier searches count, with a share of 0 for sources that have come since.

WORK/swarm.json  the mixture of each run, by source; runs are only ever added
"""

import numpy as np
from upath import UPath

from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.mix.mixture_law import cap_shares, draw_shares
from gristmill.flows.mix.sources import Source, natural_shares
from gristmill.flows.proxies.runs import Draw, ProxyRun, make_run, trained_tokens
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

SWARM = "swarm.json"
EPOCHS = 4.0  # limit of a proxy run's copies of a source: beyond, repetition decides and not the source
GOLDEN = 0.6180339887498949  # runs begin at multiples of it among the hashes: any few of them lie far apart
Mixture = dict[str, float]  # source -> share of the tokens


def proxy_caps(sources: list[Source], tokens: int, max_epochs: float = EPOCHS) -> np.ndarray:
    """Return the largest share of each source that does not repeat it more often, float64 [sources]."""
    caps = np.minimum(1.0, max_epochs * np.array([source.size for source in sources], float) / tokens)
    return caps / min(1.0, caps.sum())


def stratified(sources: list[Source], caps: np.ndarray) -> np.ndarray:
    """Return equal shares of all sources, as far as their sizes allow, float64 [sources]."""
    return cap_shares(np.ones(len(sources)), caps)


class Swarm:
    """Mixtures of the runs in a folder, and the seconds that a run took."""

    def __init__(self, work: UPath, sources: list[Source], tokens: int):
        self.file, self.sources, self.names = work / SWARM, sources, {source.name for source in sources}
        table = read_sealed(self.file, "remove it and run again") if self.file.exists() else {}
        self.mixtures: list[Mixture] = table.get("runs", [])
        self.seconds: float | None = table.get("seconds_per_run")
        self.natural, self.caps = natural_shares(sources), proxy_caps(sources, tokens)

    @property
    def current(self) -> list[int]:
        """Numbers of the runs whose sources the corpus still has."""
        return [k for k, each in enumerate(self.mixtures) if {name for name in each if each[name]} <= self.names]

    def unseen(self) -> list[str]:
        """Return the sources that no current run has read."""
        return sorted(self.names - {name for k in self.current for name, share in self.mixtures[k].items() if share})

    def extend(self, count: int) -> list[int]:
        """Return the current runs, ``count`` or more: the natural and the stratified mixture, the others drawn."""
        shares = [cap_shares(self.natural, self.caps), stratified(self.sources, self.caps)]
        for each in (self._mixture(each) for each in shares):
            if each not in self.mixtures and len(self.current) < count:
                self.mixtures.append(each)
        while len(self.current) < count:
            self.mixtures.append(self._mixture(draw_shares(self.natural, self.caps, len(self.mixtures))))
        self.write()
        return self.current

    def write(self) -> None:
        write_sealed(self.file, {"seconds_per_run": self.seconds, "runs": self.mixtures})

    def _mixture(self, shares: np.ndarray) -> Mixture:
        return {source.name: share for source, share in zip(self.sources, shares.tolist(), strict=True)}


def as_matrix(mixtures: list[Mixture], sources: list[Source]) -> np.ndarray:
    """Return the shares of mixtures, float64 [runs, sources]."""
    return np.array([[mixture.get(source.name, 0.0) for source in sources] for mixture in mixtures])


def mixed_run(
    folder: UPath,
    name: str,
    proxy: ImpactRecipe,
    mixture: Mixture,
    sources: list[Source],
    heldout: UPath,
    seed: int,
    start: float,
) -> ProxyRun:
    """Return a run on one mixture, whose documents begin at ``start`` among the hashes of each source."""
    wanted = np.round(as_matrix([mixture], sources)[0] * (trained_tokens(proxy) + 1)).astype(int).tolist()
    drawn = [(source, tokens) for source, tokens in zip(sources, wanted, strict=True) if tokens]
    draws = tuple(Draw(source.tokens, start, tokens=tokens) for source, tokens in drawn)
    return make_run(proxy, folder, name, draws, seed, heldout)
