"""Sentences of an experiment's report: one per question to quote, and a legend that explains the numbers."""

from gristmill.flows.impact.documents.samples import LEAST_DOCUMENTS, LEAST_PARTS, MANY_EPOCHS
from gristmill.pretrain.impact.significance import BETTER, EQUAL, INCONCLUSIVE, UNDECIDED, WORSE

# Rank correlation of mixtures between proxies of this many parameters and models of 1 B (arXiv:2602.12237).
KNOWN = {1e6: 0.73, 15e6: 0.89}
SMALL = max(KNOWN)
LOW_RATE = "Rankings at a low rate held for large, tuned models where those at a tuned rate did not (arXiv:2512.24503)."


def sentence(row: dict, name: str, parameters: int) -> str:
    """Return the answer to one question as a sentence to quote; ``name`` is the set that decides."""
    verdict, unit = row["verdict"], f"bits per byte of {name}"
    about = f"{row['confidence']:.0%} interval {_between(row['interval'])}"
    if verdict in (BETTER, WORSE):
        answer = f"{verdict} by {abs(row['delta']):.4f} {unit} ({about}"
    elif verdict == EQUAL:
        answer = f"no difference above {row['margin']:.4f} {unit} ({about}"
    elif verdict == INCONCLUSIVE:
        found = f"such an experiment finds a difference of {row['smallest']:.4f} with a probability of 80 %"
        answer = f"no difference seen in {unit} ({about}; {found}"
    elif verdict == UNDECIDED:
        other = row["other_rate"]
        answer = (
            f"undecided: the ranking depends on the learning rate ({row['delta']:+.4f} {unit}, {about}; "
            f"{other['delta']:+.4f} at the {other['rate']} rate, {_between(other['interval'])}"
        )
    else:
        enough = f"{row['needed_bytes'] / 1e6:.1f} MB in each arm is enough"
        answer = f"no verdict, as the documents are too few to give runs different ones: {enough} ({about} of {unit}"
    runs = f"{' and '.join(map(str, row['seeds']))} runs of a model of {parameters / 1e6:.2g} M parameters"
    return f"{row['arm']} against {row['against']}: {answer}; {runs}){_repeats(row)}{_fewer(row)}"


def _repeats(row: dict) -> str:
    """Return the sentence that names an arm with fewer distinct tokens, "" unless a run reads its text often."""
    ours, theirs = row.get("epochs") or (0, 0)  # searches compare arms of about one size
    if max(ours, theirs) <= MANY_EPOCHS or min(ours, theirs) >= max(ours, theirs) / 2:
        return ""
    (most, often), (_, other) = sorted(((row["arm"], ours), (row["against"], theirs)), key=lambda each: -each[1])
    return (
        f". {most} has fewer distinct tokens: at equal tokens, a run reads its text {often:.1f} times, the other's "
        f"{other:.1f} times"
    )


def _fewer(row: dict) -> str:
    """Return the sentence that tells better tokens from fewer tokens, "" for arms of one size."""
    if not row.get("fewer_tokens"):  # searches compare at equal tokens only
        return ""
    fewer, both = row["fewer_tokens"], row["equal_documents"]
    return (
        f". Token for token the difference is {row['delta']:+.4f}; training on fewer tokens, as many as there are, "
        f"changes it by {fewer['delta']:+.4f} (95 % interval {_between(fewer['interval'])}) to {both['delta']:+.4f}"
    )


def too_short(needed: float) -> str:
    """Return the sentence said before training on text that allows no verdict."""
    return (
        f"An arm has fewer than {LEAST_PARTS * LEAST_DOCUMENTS} documents, too few to give runs different ones, so "
        f"there will be no verdict: two runs of each arm show the losses. {needed / 1e6:.1f} MB in each arm is enough"
    )


def small_model(parameters: int) -> str:
    """Return the warning about models that are smaller than good proxies, "" for others."""
    if parameters >= SMALL:
        return ""
    known = [f"{rho} with {size / 1e6:.0f} M parameters" for size, rho in KNOWN.items()]
    where = "fewer were not measured" if parameters < 0.9 * min(KNOWN) else "between these it rose"
    return (
        f"models of {parameters / 1e6:.2g} M parameters may rank data otherwise than large ones: proxies ranked "
        f"mixtures like models of 1 B with a correlation of {' and '.join(known)} (arXiv:2602.12237), and {where}; "
        "proxies of the size that is known to be good: --set model.preset=proxy-15m"
    )


def legend(report: dict) -> list[str]:
    """Return sentences that explain the numbers."""
    parts, spread, rates = report["parts"], report["spread"], report["rates"]
    parameters = max(arm["parameters"] for arm in report["arms"])
    own = f"disjoint parts ({parts}) of each arm's documents" if parts > 1 else "the same documents"
    covers = "other documents and other initial weights" if parts > 1 else "other initial weights, not other documents"
    short = report["short"]
    lines = [
        "Lower is better. A difference is the loss of the first arm minus that of the second, on text in no arm.",
        f"The seeds of an arm train on {own}: an interval covers {covers}.",
    ]
    if parts > 1:
        lines[-1] += (
            f" The standard deviation of one run is {spread['documents']:.4f} by documents that the arms share and "
            f"{spread['rest']:.4f} by everything else."
        )
    kinds = {
        "parts": "its spread is that of shorter runs on parts of it, which they read as often.",
        "samples": "as much text of the largest arm, read as often, is compared, too. The less certain answer counts.",
    }
    for name, kind in short.items():
        lines.append(f"{name} has too little text for that. Its loss is that of runs on all of it; {kinds[kind]}")
    if any(row["equal_documents"] for row in report["questions"]):
        lines.append(
            "At equal tokens, both arms train for as long: better or worse tokens. At equal documents, both read their "
            "text as often, and the smaller arm trains for less: fewer tokens, too, the price of removing text."
        )
    rate = f"{rates['low']:g} times the tuned learning rate" if rates["decides"] == "low" else "the tuned learning rate"
    lines.append(f"The losses at {rate} decide.")
    if rates["decides"] == "low":
        lines[-1] += f" {LOW_RATE}"
    lines += _agreements(report["agreement"])
    return [*lines, f"The models have {parameters / 1e6:.2g} M parameters."]


def _agreements(found: dict) -> list[str]:
    kinds = {"rates": "The low and the tuned rate rank", "seeds": "Two runs of each arm rank"}
    return [
        f"{begin} {each['pairs']:.0%} of the pairs of arms alike (Kendall's tau {each['tau']:.2f}, 95 % interval "
        f"{each['tau_interval'][0]:.2f} to {each['tau_interval'][1]:.2f}; Spearman's rho {each['rho']:.2f})."
        for kind, begin in kinds.items()
        if (each := found[kind]) and each["arms"] > 2  # two have one pair: the question itself
    ]


def _between(interval: list[float]) -> str:
    return f"{interval[0]:+.4f} to {interval[1]:+.4f}"
