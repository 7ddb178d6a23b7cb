"""Models trained on a corpus: n-gram, classifier, GPT."""
