"""Word splitters: white space, our own close to spaCy, spaCy's blank English."""
