"""Held-out pieces of proxy runs: half of each set for the search, half for a guard that the search never sees.

WORK/candidates/      pieces of the sets that the experiment names
WORK/arms/NAME/       share of each candidate's n-grams in the documents NAME
WORK/tokens/heldout/  the candidates as tokens: every run scores all of them
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from upath import UPath

from gristmill.flows.impact.eval_sets import CANDIDATE_FACTOR, candidates_step
from gristmill.flows.impact.prepare import MIN_PIECES, TOKENS, measure_overlap, overlaps
from gristmill.flows.impact.recipe import Heldout
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.step import Engine, Input, Job, Output, Progress, Step, run_step
from gristmill.pipelines.tokens.shuffle import scramble

GUARD = 7  # salt of the hash that chooses the guard's half


class Pieces(NamedTuple):
    """Ids of the pieces without overlap, of all sets."""

    search: pl.Series
    guard: pl.Series


def prepare_heldout(
    work: UPath, settings: Heldout, documents: dict[str, UPath], tokenizer: str, engine: Engine, progress: Progress
) -> UPath:
    """Cut the sets into pieces, measure their overlap with each folder of documents, and return their token shards.

    The pieces do not depend on the documents: runs remain comparable when documents are added.
    """
    size = max(1, 2 * settings.bytes // CANDIDATE_FACTOR)  # each half has settings.bytes, all of them scored
    step = candidates_step(work, settings.model_copy(update={"bytes": size}), {})
    run_step(step, engine, progress)
    for name, folder in documents.items():
        inputs = Input(folder), Input(work / "candidates")
        output = Output(work / "arms" / name, "arm", inputs, [settings.ngram])
        job = Job(measure_overlap, (work / "candidates", folder, settings.ngram), (output,))
        run_step(Step(f"overlap of {name}", {output.folder: {"ngram": settings.ngram}}, [job]), engine, progress)
    target = work / "tokens" / "heldout"
    return tokenize([str(work / "candidates")], tokenizer, target, TOKENS, engine, progress).folder


def unseen_pieces(work: UPath, settings: Heldout, names: list[str]) -> Pieces:
    """Return the pieces that none of the documents ``names`` contain, dealt into search and guard by their ids.

    Raises RecipeError if the deciding set has too few pieces in a half.
    """
    shares = overlaps(work, names)
    unseen = shares.filter(pl.max_horizontal(pl.col(names)) <= settings.max_overlap)
    guard = (scramble(hash_rows(*Ragged.from_text(unseen[ID].to_arrow())), GUARD) & np.uint64(1)).astype(bool)
    halves = [unseen.filter(pl.Series(mine)) for mine in (~guard, guard)]
    if (few := min(half.filter(set=settings.deciding).height for half in halves)) < MIN_PIECES:
        raise RecipeError(
            f"the set {settings.deciding!r} has {few} pieces in a half that are not in the corpus, expected "
            f"{MIN_PIECES} or more; name other text in heldout.sets, or raise heldout.bytes"
        )
    return Pieces(*(half[ID] for half in halves))
