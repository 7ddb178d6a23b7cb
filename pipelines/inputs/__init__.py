"""What raw input is: its settings, files, work units, records and column types."""
