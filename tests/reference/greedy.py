"""Who stays, one document after the other: the twin of dedup/near/greedy.py."""


def kept(documents: int, buckets: list[list[int]], alike, old: int = 0, keepers: int | None = None) -> list[int]:
    """A document stays unless one that stays, of one of its buckets and before it, is ``alike(document, earlier)``.

    The first ``old`` stay whatever they are like; only the first ``keepers`` keep others out.
    """
    stay = []
    for document in range(documents):
        near = [e for e in stay if e < (documents if keepers is None else keepers)]
        near = [e for e in near if any(document in bucket and e in bucket for bucket in buckets)]
        if document < old or not any(alike(document, earlier) for earlier in near):
            stay.append(document)
    return stay
