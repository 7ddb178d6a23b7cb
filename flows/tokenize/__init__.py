"""Train tokenizers on a corpus, and make its token shards."""
