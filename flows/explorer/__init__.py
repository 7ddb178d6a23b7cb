"""Explorer: a finished run in the browser, read-only, for this machine only."""
