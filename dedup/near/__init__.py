"""Near-duplicate documents: MinHash LSH, verification by Jaccard similarity, greedy selection."""
