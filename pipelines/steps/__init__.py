"""Steps: jobs over shards, decisions, rewritten spans, and their application to documents."""
