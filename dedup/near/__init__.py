"""Near-duplicates: MinHash LSH, candidates verified by Jaccard similarity, greedy selection."""
