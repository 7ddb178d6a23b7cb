"""Gristmill and its peers on the same input: ``python -m benchmarks`` prints the table."""
