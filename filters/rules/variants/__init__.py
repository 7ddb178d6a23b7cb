"""Rule sets as others publish them, a folder or file a source. Ours lie beside the measures they share, in filters/."""
