"""Rule sets of our own: Gopher, repetition, C4, FineWeb, keywords, noise."""
