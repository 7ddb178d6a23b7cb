"""Raw input: its files, work units, records and column types."""
