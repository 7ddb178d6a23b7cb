"""Sentences of an experiment's report: one per question to quote, and a legend that explains the numbers."""

from gristmill.pretrain.impact.significance import BETTER, EQUAL, INCONCLUSIVE, WORSE

SMALL = 15e6  # parameters of the smallest proxy that ranks mixtures nearly as a model of 1 B does (arXiv:2602.12237)


def sentence(row: dict, name: str, parameters: int) -> str:
    """Return the answer to one question as a sentence to quote; ``name`` is the set that decides."""
    low, high = row["interval"]
    about = f"{row['confidence']:.0%} interval {low:+.4f} to {high:+.4f}"
    verdict, unit = row["verdict"], f"bits per byte of {name}"
    if verdict in (BETTER, WORSE):
        answer = f"{verdict} by {abs(row['delta']):.4f} {unit} ({about}"
    elif verdict == EQUAL:
        answer = f"no difference above {row['margin']:.4f} {unit} ({about}"
    elif verdict == INCONCLUSIVE:
        found = f"such an experiment finds a difference of {row['smallest']:.4f} with a probability of 80 %"
        answer = f"no difference seen in {unit} ({about}; {found}"
    else:
        enough = f"{row['needed_bytes'] / 1e6:.1f} MB in each arm is enough"
        answer = f"no verdict, as the text is too short to give each run other documents: {enough} ({about} of {unit}"
    runs = f"{' and '.join(map(str, row['seeds']))} runs of a model of {parameters / 1e6:.2g} M parameters"
    return f"{row['arm']} against {row['against']}: {answer}; {runs})"


def legend(report: dict) -> list[str]:
    """Return sentences that explain the numbers."""
    parts, spread = report["parts"], report["spread"]
    parameters = max(arm["parameters"] for arm in report["arms"])
    own = f"disjoint parts ({parts}) of each arm's documents" if parts > 1 else "the same documents"
    covers = "other documents and other initial weights" if parts > 1 else "other initial weights, not other documents"
    lines = [
        "Lower is better. A difference is the loss of the first arm minus that of the second, on text in no arm.",
        f"The seeds of an arm train on {own}: an interval covers {covers}.",
    ]
    if parts > 1:
        lines[-1] += (
            f" The standard deviation of one run is {spread['documents']:.4f} by documents that the arms share and "
            f"{spread['rest']:.4f} by everything else."
        )
    if any(row["equal_documents"] for row in report["questions"]):
        lines.append(
            "At equal tokens, both arms train for as long; at equal documents, both read their text as often, and the "
            "smaller arm trains for less: the price of removing text."
        )
    size = f"The models have {parameters / 1e6:.2g} M parameters."
    if parameters < SMALL:
        size += (
            " The ranking of data may differ at size: rank correlations with models of 1 B were 0.73 for proxies of "
            "1 M and 0.89 for proxies of 15 M."
        )
    return [*lines, size]
