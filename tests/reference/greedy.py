"""Who stays, one document after the other: the twin of dedup/clusters.py."""


def kept(documents: int, buckets: list[list[int]], alike) -> list[int]:
    """A document stays unless one that stays, of one of its buckets and before it, is ``alike(document, earlier)``."""
    stay = []
    for document in range(documents):
        near = [e for e in stay if any(document in bucket and e in bucket for bucket in buckets)]
        if not any(alike(document, earlier) for earlier in near):
            stay.append(document)
    return stay
