"""Token shards: documents as ids in files that a trainer maps into memory, traceable back to the text."""
