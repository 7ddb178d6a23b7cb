"""Rule sets as others publish them, one folder or file per source."""
