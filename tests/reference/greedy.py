"""Who stays, one document after the other: the twin of dedup/near/greedy.py."""


def kept(documents: int, buckets: list[list[int]], alike, n_indexed=0, n_keepers: int | None = None) -> list[int]:
    """A document stays unless one that stays, of one of its buckets and before it, is ``alike(document, earlier)``.

    The first ``n_indexed`` stay whatever they are like; only the first ``n_keepers`` keep others out.
    """
    stay = []
    for document in range(documents):
        near = [e for e in stay if e < (documents if n_keepers is None else n_keepers)]
        near = [e for e in near if any(document in bucket and e in bucket for bucket in buckets)]
        if document < n_indexed or not any(alike(document, earlier) for earlier in near):
            stay.append(document)
    return stay
