"""Training of BPE and WordPiece, which share one merge loop."""
