"""BPE and WordPiece training, which share one merge loop."""
