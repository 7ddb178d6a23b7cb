"""BPE and WordPiece encoding."""
