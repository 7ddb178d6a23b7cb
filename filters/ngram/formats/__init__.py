"""Exchange of n-gram models with KenLM: ARPA files and binaries."""
