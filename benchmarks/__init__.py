"""Us and the peers on the same input: ``python -m benchmarks`` prints the table."""
