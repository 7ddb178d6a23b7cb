"""Join: scores that others publish for documents become measures."""
