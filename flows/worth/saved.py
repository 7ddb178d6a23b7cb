"""Worth of the documents that each rule alone removes, as ``WORK/worth.json`` of a run: a sentence for each rule.

worth.json
  rules[]   rule (step.rule), documents, bytes, share (of a run's tokens), per_document (delta for each document that a
            run reads), adjusted (p by Holm over all rules), then as in a comparison of the guard
            (flows/proxies/guard.py): set, delta, interval, bootstrap, seeds, samples, verdict, sentence
"""

from upath import UPath

from gristmill.pipelines.storage.sealed import read_sealed

WORTH = "worth.json"


def read_worth(run: UPath) -> dict[str, dict]:
    """Return step.rule -> row of ``worth.json``; empty if the worth of this run was not measured."""
    if not (run / WORTH).exists():
        return {}
    return {row["rule"]: row for row in read_sealed(run / WORTH, "remove it and run `gristmill worth` again")["rules"]}
