"""Languages without a profile of their own, whose documents were judged by the thresholds of another profile."""

from typing import Any

from gristmill.filters.core.filter import LANGUAGE, Filter, own_profiles
from gristmill.filters.core.profiles import profiles, shipped_profile
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.flows.report.ledger import LedgerSummary
from gristmill.flows.runs.finished import FinishedRun


def guessed(work: FinishedRun, ledger: LedgerSummary) -> list[dict[str, Any]]:
    """Return language, documents, kept and profile of each language on a guessed profile, the most documents first.

    The profile is that of a related language, or ``neutral``. Empty if no step uses language profiles.
    """
    filters = [step for step in work.recipe.steps.values() if isinstance(step, Filter) and step.use_profiles]
    if not any(step.NAME in profile for step in filters for profile in profiles().values()):
        return []
    own = {UNKNOWN, *profiles(), *own_profiles(work.recipe.steps)}
    rows = ledger.languages.select(LANGUAGE, "documents", "kept").to_dicts()
    found = [row | {"profile": shipped_profile(row[LANGUAGE])} for row in rows if row[LANGUAGE] not in own]
    return sorted(found, key=lambda row: (-row["documents"], row[LANGUAGE]))
