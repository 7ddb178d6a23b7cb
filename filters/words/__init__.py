"""Word splitters: white space, Unicode UAX #29, spaCy's blank English."""
