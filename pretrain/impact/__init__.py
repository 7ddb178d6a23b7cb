"""Statistics of data-impact experiments: intervals, allocation of seeds, scaling laws. Numbers in, numbers out."""
