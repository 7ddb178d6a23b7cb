"""fastText classifiers: read, trained, written and asked by our own code, in fastText's own file format."""
