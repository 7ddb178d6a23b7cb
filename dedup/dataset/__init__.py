"""What the sources of a corpus share with each other."""
