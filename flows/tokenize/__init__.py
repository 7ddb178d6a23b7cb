"""The tokenizer and the token shards of a corpus."""
