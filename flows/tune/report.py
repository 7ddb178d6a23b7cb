"""Result of a search: ``WORK/tune.json``, and ``WORK/tuned.toml`` if the gain holds on the guard.

tune.json
  headline       the result as a sentence to quote
  thresholds[]   the ranges that were searched
  candidates[]   changes, documents and bytes kept, rounds [{seeds, loss}] on the search half of the deciding set
  winner         number of the candidate with the lowest loss of the last round; 0 is the recipe itself
  guard          the comparison on the guard (flows/proxies/guard.py), with the epochs of the runs of each arm, or
                 null if the recipe itself won
  sets[]         the same on the guard's half of the other sets
  recipe         the file that was written, or null
  notes[]        sentences that explain the numbers
"""

import os
import re
from pathlib import Path

import orjson
from upath import UPath

from gristmill.flows.clean.recipe_files import find_recipe, shipped_recipes
from gristmill.flows.impact.sentences import SMALL
from gristmill.flows.proxies.guard import compare_on_guard, is_gain
from gristmill.flows.tune.pool import Cuts
from gristmill.flows.tune.settings import Tuning
from gristmill.flows.tune.space import was
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

RESULT, TUNED = "tune.json", "tuned.toml"
BARE = re.compile(r"[A-Za-z0-9_-]+")


History = list[tuple[int, dict[int, float]]]  # of each round: runs of a candidate, and the loss of each


def write_result(
    work: UPath,
    tuning: Tuning,
    cut: Cuts,
    plan: dict,
    history: History,
    winner: int,
    guarded: dict,
) -> dict:
    """Write the result and, if there is a gain, the recipe; return the result."""
    tried = [tuple(changes) for changes in plan["candidates"]]
    name, guard, sets = tuning.proxy.heldout.deciding, None, []
    if guarded:
        parameters = guarded["runs"]["tuned"][0].shape.matrices()
        rows = {
            each: compare_on_guard(guarded["scored"], "tuned", "recipe", each, parameters, guarded["needed"])
            for each in guarded["scored"].names()
        }
        guard = rows.pop(name) | {"epochs": guarded["epochs"]}
        sets = list(rows.values())
    found = guard is not None and is_gain(guard)
    result = {
        "headline": headline(tried[winner], guard, len(tried) - 1, name),
        "thresholds": plan["thresholds"],
        "candidates": [
            {
                "changes": list(changes),
                **cut.counts(changes),
                "rounds": [{"seeds": seeds, "loss": losses[k]} for seeds, losses in history if k in losses],
            }
            for k, changes in enumerate(tried)
        ],
        "winner": winner,
        "guard": guard,
        "sets": sets,
        "recipe": TUNED if found else None,
        "notes": notes(tuning, cut, tried[winner], guard),
    }
    if found:
        write_recipe(work / TUNED, tuning, tried[winner], result["headline"])
    else:
        (work / TUNED).unlink(missing_ok=True)
    write_sealed(work / RESULT, result, orjson.OPT_SERIALIZE_NUMPY)
    return result


def headline(changes: tuple[str, ...], guard: dict | None, tried: int, name: str) -> str:
    """Return the result as a sentence."""
    if guard is None:
        return f"No threshold tried is better than the recipe's: of {tried} candidates none has a lower loss on {name}."
    if is_gain(guard):
        return f"{', '.join(changes)} is better than the recipe: {guard['sentence']}."
    return (
        f"No threshold tried is better than the recipe's: of {tried} candidates {', '.join(changes)} had the lowest "
        f"loss, but on the guard {guard['sentence']}."
    )


def notes(tuning: Tuning, cut: Cuts, best: tuple[str, ...], guard: dict | None) -> list[str]:
    """Return sentences that explain the numbers."""
    before, after = cut.counts(()), cut.counts(best)
    kept = f"The recipe keeps {before['bytes'] / 1e6:.2f} MB, the best candidate {after['bytes'] / 1e6:.2f} MB."
    lines = [
        "The search and the guard have different halves of the documents, of the held-out pieces and of the seeds.",
        f"All runs read as many tokens, so text that is removed costs nothing until the rest repeats. {kept}",
    ]
    if guard:
        mine, theirs = guard["epochs"]["tuned"], guard["epochs"]["recipe"]
        lines.append(
            f"On the guard, a run of the best candidate reads its documents {mine:.1f} times, one of the recipe "
            f"{theirs:.1f} times."
        )
    parameters = tuning.proxy.shape(max(300, tuning.proxy.tokenizer.vocab_size)).matrices()
    if parameters < SMALL:
        lines.append(
            f"The models have {parameters / 1e6:.2g} M parameters. Rank correlations with models of 1 B were 0.73 for "
            "proxies of 1 M and 0.89 for proxies of 15 M (arXiv:2602.12237)."
        )
    return lines


def extends(recipe: str, work: UPath) -> str:
    """Return how a recipe in ``work`` names the given one: by the name of a shipped recipe, or by a relative path."""
    file = find_recipe(recipe).resolve()
    if file == shipped_recipes().get(recipe):
        return recipe
    return os.path.relpath(str(file), str(Path(str(work)).resolve())) if is_local(work) else str(file)


def write_recipe(path: UPath, tuning: Tuning, changes: tuple[str, ...], headline: str) -> None:
    """Write a recipe that extends the given one, with a comment on each changed line."""
    spans = {span.path: span for span in tuning.spans}
    lines = [f"# {headline}", f"extends = {_text(tuning.extends)}"]
    tables: dict[str, list[str]] = {}
    for change in changes:
        setting, _, value = change.partition("=")
        *table, key = setting.split(".")
        comment = f"was {was(tuning.recipe, spans[setting])}; tried {str(spans[setting]).partition('=')[2]}"
        tables.setdefault(".".join(map(_key, ("steps", *table))), []).append(f"{_key(key)} = {value}  # {comment}")
    for table, settings in tables.items():
        lines += ["", f"[{table}]", *settings]
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    return orjson.dumps(value).decode().replace("\x7f", "\\u007f")


def read_result(work: UPath) -> dict:
    """Return the result of a finished search; raise WorkError if there is none."""
    if not (work / RESULT).exists():
        raise WorkError(f"{work} holds no finished search; `gristmill tune RECIPE --output {work}` makes one")
    return read_sealed(work / RESULT, "remove it and run `gristmill tune` again")
