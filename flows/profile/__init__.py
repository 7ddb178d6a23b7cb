"""Language profiles from a corpus: labels, samples, thresholds, TOML files."""
