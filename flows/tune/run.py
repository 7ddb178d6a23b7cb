"""Search for thresholds: clean once, tokenize once, halve the candidates, compare the best with the recipe on a guard.

WORK/plan.json   candidates, rounds and guard, fixed before the search
WORK/tune.json   the result; WORK/tuned.toml, the recipe, if it holds on the guard
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from upath import UPath

from gristmill.flows.clean.run import clean
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.documents.samples import MANY_EPOCHS, count_parts
from gristmill.flows.impact.plan import PLAN, RUNS
from gristmill.flows.impact.prepare import TOKENS
from gristmill.flows.proxies.budget import forget, guard_seeds, runs_within
from gristmill.flows.proxies.heldout import Pieces, prepare_heldout, unseen_pieces
from gristmill.flows.proxies.runs import Draw, ProxyRun, make_run, proxy_step, read_scored, trained_tokens
from gristmill.flows.proxies.tokenizer import shared_tokenizer
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.what_if import change_recipe
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.flows.tune.halving import Round, count_runs, most_candidates, plan_rounds, survivors
from gristmill.flows.tune.pool import Cuts, Pool, pool_step
from gristmill.flows.tune.report import History, write_result
from gristmill.flows.tune.settings import Tuning
from gristmill.flows.tune.space import Candidate, candidates, fit
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.impact.bootstrap import bits_per_byte

PILOT = 2  # runs of the recipe itself
HALVES = 2  # of the documents: the search trains on one, the guard on the other
ATTEMPTS = 5  # draws of candidates: of those with one cut only the first is tried
SEARCH_PARTS = 8  # of its half at most: few, so that a candidate that removes much need not repeat its part
GUARD_SEED = 1000  # first seed of the guard: other initial weights and another order


class Prepared(NamedTuple):
    """Material of all runs."""

    pool: Pool
    heldout: UPath
    pieces: Pieces


def tune(
    tuning: Tuning,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    on_log: Callable[[str], None] = lambda line: None,
) -> dict:
    """Run a search and return its result, as in ``WORK/tune.json``; ``on_log`` gets the plan and each round.

    Finished work is not repeated. Raises RecipeError for thresholds that need new measures, and for a corpus that is
    too short for the guard; WorkError if the folder holds another search.
    """
    progress = progress or NullProgress()
    with exclusive_run(work):
        clean(tuning.recipe, work / "run", engine, progress)
        search = Search(tuning, prepare(tuning, work, engine, progress), work, engine, progress, on_log)
        plan = search.plan()
        winner, history = search.halve(plan)
        return write_result(
            work, tuning._replace(spans=search.spans), search.cut, plan, history, winner, search.guard(winner, plan)
        )


def prepare(tuning: Tuning, work: UPath, engine: Engine, progress: Progress) -> Prepared:
    """Write the pool, its tokens and the held-out pieces."""
    run, documents = FinishedRun(work / "run"), work / "pool"
    run_step(pool_step(run, documents), engine, progress)
    tokenizer = shared_tokenizer(tuning.proxy.tokenizer, documents, work, engine, progress)
    tokens = tokenize([str(documents)], tokenizer, work / "tokens" / "pool", TOKENS, engine, progress)
    heldout = prepare_heldout(work, tuning.proxy.heldout, {"pool": documents}, tokenizer, engine, progress)
    return Prepared(Pool(run, tokens.folder), heldout, unseen_pieces(work, tuning.proxy.heldout, ["pool"]))


class Search:
    """A search in its folder."""

    def __init__(
        self,
        tuning: Tuning,
        made: Prepared,
        work: UPath,
        engine: Engine,
        progress: Progress,
        on_log: Callable[[str], None],
    ):
        self.tuning, self.made, self.work, self.on_log = tuning, made, work, on_log
        self.engine, self.progress, self.began = engine, progress, time.perf_counter()
        self.runs: dict[str, ProxyRun] = {}  # name -> run of all stages so far
        self.cut = Cuts(made.pool)
        self.name = tuning.proxy.heldout.deciding
        for span in tuning.spans:
            for value in (span.low, span.high):
                change_recipe(made.pool.run.recipe_table, (f"{span.path}={span.text(value)}",))  # raises before any run
        fitted = [fit(span, made.pool.run) for span in tuning.spans]
        self.spans, self.values = [span for span, _ in fitted], [values for _, values in fitted]

    def plan(self) -> dict:
        """Return the plan of the search: an earlier one, or a new one after two pilot runs."""
        asked = self._asked()
        if (self.work / PLAN).exists():
            known = read_sealed(self.work / PLAN, "choose another --output")
            if known["asked"] != asked:
                raise WorkError(f"{self.work} holds a search with other settings or text; choose another --output")
            self._pilot()
            self._say(known)
            return known
        self._check_room()
        forget(self.work / RUNS / "pilot")
        began = time.perf_counter()
        self._pilot()
        seconds = (time.perf_counter() - began) / PILOT
        total = runs_within(self.tuning.budget, time.perf_counter() - self.began, seconds, PILOT)
        guard = guard_seeds(total, 2)
        count = most_candidates(total - 2 * guard)
        tried = self._candidates(count)
        plan = {
            "asked": asked,
            "thresholds": [str(span) for span in self.spans],
            "candidates": tried,
            "rounds": [each._asdict() for each in plan_rounds(len(tried))],
            "guard_seeds": guard,
            "seconds_per_run": round(seconds, 1),
        }
        write_sealed(self.work / PLAN, plan)
        self._say(plan)
        return plan

    def _pilot(self) -> None:
        self._train("pilot", {f"c000-s{seed}": ((), seed) for seed in range(PILOT)})

    def _asked(self) -> dict:
        proxy = self.tuning.proxy.model_dump(mode="json", include={"heldout", "tokenizer", "model", "train"})
        recipe = fingerprint(self.made.pool.run.recipe_table["steps"])
        tokens = TokenShards(self.made.pool.tokens).manifest
        return {
            "recipe": recipe,
            "thresholds": [str(span) for span in self.spans],
            "budget": list(self.tuning.budget),
            "proxy": proxy,
            "documents": fingerprint(sorted(file["sha256"] for file in tokens.files.values())),
        }

    def _say(self, plan: dict) -> None:
        rounds = [Round(**each) for each in plan["rounds"]]
        searched, guard = count_runs(rounds), 2 * plan["guard_seeds"]
        about = plan["seconds_per_run"] * (searched + guard) / 60
        self.on_log(
            f"Plan: {len(plan['candidates'])} candidates, {searched} runs to search and {guard} to guard, about "
            f"{about:.0f} minutes at {plan['seconds_per_run']:.1f} seconds a run"
        )

    def _candidates(self, count: int) -> list[Candidate]:
        """Return candidates that keep different documents and enough text; the recipe is the first."""
        found: dict[bytes, Candidate] = {self.cut.of(()).tobytes(): ()}
        most, seed = self.tuning.proxy.budget.max_epochs, self.tuning.proxy.train.seed
        for attempt in range(ATTEMPTS):
            for changes in candidates(self.spans, self.values, count - 1, seed + attempt):
                mask = self.cut.of(changes)
                if len(found) < count and self._epochs(mask) <= most:
                    found.setdefault(mask.tobytes(), changes)
        if len(found) < 2:
            raise RecipeError("no candidate keeps other documents than the recipe and enough text; widen the ranges")
        return list(found.values())

    def _epochs(self, mask: np.ndarray, guard: int = 0) -> float:
        """Return how often a run reads its documents, for the part with the least text.

        ``guard`` is the number of the guard's seeds, 0 for the search.
        """
        pool, parts = self.made.pool, self.parts(guard or SEARCH_PARTS)
        allowed = np.packbits(mask).tobytes()
        draws = (self._draw(allowed, part, parts, bool(guard)) for part in range(parts))
        least = min(int(pool.lengths[draw.rows(pool.hashes, pool.lengths)].sum()) for draw in draws)
        return trained_tokens(self.tuning.proxy) / max(1, least)

    def _draw(self, allowed: bytes, part: int, parts: int, guard: bool) -> Draw:
        """Return the documents of one part of the half of the search, or of the guard."""
        return Draw(self.made.pool.tokens, (guard + part / parts) / HALVES, 1 / (HALVES * parts), allowed=allowed)

    def parts(self, seeds: int) -> int:
        """Return the number of runs of a half that share no documents."""
        kept = int(self.made.pool.lengths[self.cut.of(())].sum())
        return count_parts([(kept // HALVES, trained_tokens(self.tuning.proxy))], seeds)

    def needed_bytes(self, seeds: int) -> float:
        """Return the bytes of kept text with which each run of the guard has documents of its own."""
        pool, kept = self.made.pool, self.cut.of(())
        per_token = pool.bytes[kept].sum() / max(1, pool.lengths[kept].sum())
        return float(trained_tokens(self.tuning.proxy) * seeds * HALVES / MANY_EPOCHS * per_token)

    def _check_room(self) -> None:
        if self.parts(PILOT) < PILOT:
            kept = int(self.made.pool.bytes[self.cut.of(())].sum())
            raise RecipeError(
                f"the recipe keeps {kept / 1e6:.1f} MB, and two runs of the guard with documents of their own need "
                f"{self.needed_bytes(2) / 1e6:.1f} MB; give more text or lower --set train.steps"
            )

    def halve(self, plan: dict) -> tuple[int, History]:
        """Search; return the number of the best candidate, and the losses of each round."""
        tried = [tuple(changes) for changes in plan["candidates"]]
        rounds, history = [Round(**each) for each in plan["rounds"]], History()
        alive, best = list(range(len(tried))), 0
        for number, (count, seeds) in enumerate(rounds):
            wanted = {f"c{k:03d}-s{seed}": (tried[k], seed) for k in alive for seed in range(seeds)}
            self._train(f"round-{number + 1}", wanted)
            arms = {str(k): [self.runs[f"c{k:03d}-s{seed}"] for seed in range(seeds)] for k in alive}
            scored = read_scored(arms, self.made.pieces.search)
            losses = {k: float(bits_per_byte(*scored.of(str(k), self.name)).mean()) for k in alive}
            history.append((seeds, losses))
            following = rounds[number + 1].candidates if number + 1 < len(rounds) else 0
            alive = [0, *survivors(losses, following)]
            best = min(losses, key=lambda k: (losses[k], k))
            gain = losses[best] - losses[0]
            self.on_log(
                f"Round {number + 1}: {count} candidates, {seeds} runs each; best {gain:+.4f} against the recipe"
            )
        return best, history

    def guard(self, winner: int, plan: dict) -> dict:
        """Return the losses of the best candidate and of the recipe on the guard, for the report."""
        if winner == 0:  # nothing to compare
            return {}
        seeds, arms = plan["guard_seeds"], {"tuned": tuple(plan["candidates"][winner]), "recipe": ()}
        wanted = {f"{arm}-g{seed}": (changes, seed) for arm, changes in arms.items() for seed in range(seeds)}
        self._train("guard", wanted, guard=seeds)
        runs = {arm: [self.runs[f"{arm}-g{seed}"] for seed in range(seeds)] for arm in arms}
        scored = read_scored(runs, self.made.pieces.guard, self.parts(seeds))
        epochs = {arm: self._epochs(self.cut.of(changes), seeds) for arm, changes in arms.items()}
        return {"scored": scored, "needed": self.needed_bytes(seeds), "runs": runs, "epochs": epochs}

    def _train(self, stage: str, wanted: dict[str, tuple[Candidate, int]], guard: int = 0) -> None:
        """Train the runs that no earlier stage has trained, name -> candidate and seed, each on a part of a half.

        ``guard`` is the number of its seeds, 0 for the search. Runs of the search must not depend on the plan, since
        the pilot comes before it.
        """
        parts, made = self.parts(guard or SEARCH_PARTS), dict[str, ProxyRun]()
        for name, (changes, seed) in wanted.items():
            if name not in self.runs:
                allowed = np.packbits(self.cut.of(changes)).tobytes()
                draw = self._draw(allowed, seed % parts, parts, bool(guard))
                number, folder = seed + GUARD_SEED * bool(guard), self.work / RUNS / stage
                made[name] = make_run(self.tuning.proxy, folder, name, (draw,), number, self.made.heldout)
        if made:
            run_step(proxy_step(list(made.values())), self.engine, self.progress)
        self.runs |= made
