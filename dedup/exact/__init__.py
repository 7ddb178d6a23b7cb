"""Documents with equal normalized text."""
