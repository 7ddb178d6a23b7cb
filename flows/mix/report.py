"""Result of a search for a mixture: ``WORK/mix.json``, and ``WORK/mix.toml`` if it is better than the natural one.

mix.json
  headline      the result as a sentence to quote
  column        whose values are the sources
  sources[]     name, documents, bytes, tokens, natural, stratified, share, interval (95 %, bootstrap over runs), cap
  runs          of the swarm
  laws[]        set, floor, slopes by source: bits per byte = floor + exp(sum of slope times share)
  predicted[]   against (natural, stratified), gain, interval (bootstrap): what the law says of the mean of all sets
  guard[]       comparisons by fresh runs (flows/proxies/guard.py), for each against: first the mean of all sets, which
                decides, then each set; one row if there is one set
  written       the file with the tables for a recipe, or null
  notes[]       sentences that explain the numbers
"""

from typing import NamedTuple

import numpy as np
import orjson
from upath import UPath

from gristmill.flows.impact.sentences import SMALL
from gristmill.flows.impact.verdicts import Scored
from gristmill.flows.mix.mixture_law import Optimum
from gristmill.flows.mix.settings import Mixing
from gristmill.flows.mix.sources import Source
from gristmill.flows.proxies.guard import ALL, ALPHA, compare_on_guard, is_gain, pool_sets
from gristmill.flows.proxies.runs import trained_tokens
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.storage.sealed import write_sealed
from gristmill.pretrain.impact.significance import WORSE

RESULT, TABLES = "mix.json", "mix.toml"
DIGITS = 4  # of a share in mix.toml
BASELINES = ("natural", "stratified")


class Found(NamedTuple):
    """Material of a report."""

    mixing: Mixing
    sources: list[Source]
    sets: list[str]
    natural: np.ndarray  # float64 [sources]
    caps: np.ndarray
    optimum: Optimum
    shares: dict[str, np.ndarray]  # of the best, the natural and the stratified mixture, as trained
    scored: Scored  # of the guard
    runs: int


def write_result(work: UPath, found: Found) -> dict:
    """Write the result and, if there is a gain over the natural mixture, the tables; return the result."""
    proxy, optimum = found.mixing.proxy, found.optimum
    parameters = proxy.shape(max(300, proxy.tokenizer.vocab_size)).matrices()
    needed = trained_tokens(proxy) * found.scored.nats["mixed"].shape[0] / 2 * _bytes_per_token(found.sources)
    compared = [(found.scored, name) for name in found.sets]
    if len(compared) > 1:
        compared.insert(0, (pool_sets(found.scored), ALL))
    guard = [
        compare_on_guard(scored, "mixed", against, name, parameters, needed)
        for scored, name in compared
        for against in BASELINES
    ]
    better = is_better(guard, "natural")
    low, high = np.quantile(optimum.draws, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    result = {
        "headline": headline(guard, found),
        "column": found.mixing.column,
        "sources": [
            {
                "name": source.name,
                "documents": require_finished(source.documents, "").counts["documents"],
                "bytes": source.bytes,
                "tokens": source.size,
                "natural": float(found.natural[k]),
                "stratified": float(found.shares["stratified"][k]),
                "share": float(optimum.shares[k]),
                "interval": [float(low[k]), float(high[k])],
                "cap": float(found.caps[k]),
            }
            for k, source in enumerate(found.sources)
        ],
        "runs": found.runs,
        "laws": [
            {
                "set": name,
                "floor": float(law.floor),
                "slopes": dict(zip([s.name for s in found.sources], law.slopes.tolist(), strict=True)),
            }
            for name, law in zip(found.sets, optimum.laws, strict=True)
        ],
        "predicted": _predicted(found),
        "guard": guard,
        "written": TABLES if better else None,
        "notes": notes(found, parameters),
    }
    if better:
        write_tables(work / TABLES, found, result)
    else:
        (work / TABLES).unlink(missing_ok=True)
    write_sealed(work / RESULT, result, orjson.OPT_SERIALIZE_NUMPY)
    return result


def is_better(guard: list[dict], against: str) -> bool:
    """True if the mixture has a gain, on the mean of all sets if there are several, and a loss on none."""
    rows = [row for row in guard if row["against"] == against]
    return is_gain(rows[0]) and not any(row["verdict"] == WORSE for row in rows)


def headline(guard: list[dict], found: Found) -> str:
    """Return the result as a sentence."""
    rows = {against: [row for row in guard if row["against"] == against] for against in BASELINES}
    said = {
        against: "; ".join(row["sentence"] for row in mine if row is mine[0] or row["verdict"] == WORSE)
        for against, mine in rows.items()
    }
    shares = ", ".join(f"{s.name} {p:.1%}" for s, p in zip(found.sources, found.optimum.shares, strict=True))
    if not is_better(guard, "natural"):
        return f"No mixture tried is better than the natural shares: the best was {shares}; {said['natural']}."
    also = "" if is_better(guard, "stratified") else " It is not better than equal shares of all sources:"
    return f"The best mixture is {shares}: {said['natural']}.{also} {said['stratified']}."


def _predicted(found: Found) -> list[dict]:
    low, high = np.quantile(found.optimum.gains, [ALPHA / 2, 1 - ALPHA / 2], axis=0)
    rows = []
    for k, against in enumerate(BASELINES):
        other, best = found.shares[against][None], found.optimum.shares[None]
        gain = float(np.mean([law.loss(other)[0] - law.loss(best)[0] for law in found.optimum.laws]))
        rows.append({"against": against, "gain": gain, "interval": [float(low[k]), float(high[k])]})
    return rows


def _bytes_per_token(sources: list[Source]) -> float:
    return sum(source.bytes for source in sources) / max(1, sum(source.size for source in sources))


def notes(found: Found, parameters: int) -> list[str]:
    """Return sentences that explain the numbers."""
    mixing = found.mixing
    lines = [
        f"The law is fitted to {found.runs} runs, on other held-out text than the guard's. Its intervals are a "
        "bootstrap over runs. The guard trains fresh runs, which decide.",
        f"No share repeats its source more than {mixing.max_epochs:g} times, and the penalty for the distance from the "
        f"natural shares is {mixing.kl_weight:g} KL.",
        "No method for mixtures beats equal shares of all sources consistently (arXiv:2411.05735), so the stratified "
        "mixture is part of the guard.",
    ]
    wanted = found.shares["mixed"] * trained_tokens(mixing.proxy) * len(found.scored.nats["mixed"])
    if shared := [source.name for source, tokens in zip(found.sources, wanted, strict=True) if tokens > source.size]:
        lines.append(
            f"The runs of the guard share documents of {', '.join(shared)}: the intervals do not cover which of these "
            "were there."
        )
    if mixing.column != SOURCE:
        lines.append(
            f"`tokens.weights` names values of the column {SOURCE!r}: read the corpus with "
            f"input.source_column = {mixing.column!r} to use them."
        )
    if parameters < SMALL:
        lines.append(
            f"The models have {parameters / 1e6:.2g} M parameters. Rank correlations with models of 1 B were 0.73 for "
            "proxies of 1 M and 0.89 for proxies of 15 M (arXiv:2602.12237)."
        )
    return lines


def write_tables(path: UPath, found: Found, result: dict) -> None:
    """Write [tokens] and [tokens.weights] for a recipe, with a comment on each share."""
    mixing = found.mixing
    lines = [f"# {result['headline']}", "[tokens]", f"max_epochs = {mixing.max_epochs!r}"]
    if mixing.train_tokens:
        lines.append(f"train_tokens = {mixing.train_tokens}")
    lines += ["", "[tokens.weights]"]
    for row in result["sources"]:
        share = int(row["share"] * 10**DIGITS) / 10**DIGITS  # rounded down: weights may not add up to more than 1
        low, high = row["interval"]
        name = orjson.dumps(row["name"]).decode().replace("\x7f", "\\u007f")
        lines.append(f"{name} = {share}  # natural {row['natural']:.4f}, 95 % interval {low:.4f} to {high:.4f}")
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
