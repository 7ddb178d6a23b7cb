"""Check of documents against the rules of a recipe, without a work folder."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import LANGUAGE, Filter, provider
from gristmill.filters.core.measure import measure_documents
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.input_tables import other_input
from gristmill.pipelines.schema import ID


def check_documents(recipe: Recipe, paths: tuple[str, ...]) -> Iterator[dict]:
    """Yield id, violations ({step, rule, value, threshold}) and measures of each document, without corpus steps."""
    chain: dict[str, Any] = {name: step for name, step in recipe.steps.items() if isinstance(step, Filter)}
    for table in read_documents(list(paths), other_input(recipe.input, paths)):
        frames = measure_documents(chain, table, recipe.words)
        language = None
        if name := provider(chain, LANGUAGE):
            language = frames[name][chain[name].PROVIDES[LANGUAGE]].to_numpy()
        violations = {
            name: decide(step, frames[name], step.profile_of(language, len(table))).to_list()
            for name, step in chain.items()
        }
        rows = {name: frame.to_dicts() for name, frame in frames.items()}
        for i, id in enumerate(table[ID].to_pylist()):
            found = [{"step": name, **each} for name in chain for each in violations[name][i]]
            yield {"id": id, "violations": found, "measures": {name: rows[name][i] for name in chain}}


def count(verdicts: Iterator[dict]) -> tuple[int, Counter]:
    """Return the number of documents, and of violations of each (step, rule)."""
    rules: Counter[tuple[str, str]] = Counter()
    documents = 0
    for verdict in verdicts:
        documents += 1
        rules.update((each["step"], each["rule"]) for each in verdict["violations"])
    return documents, rules
