"""Token shards: documents as ids in files that a trainer maps into memory, and what finds its way back to the text."""
