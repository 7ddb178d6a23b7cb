"""File formats of tokenizers: ours, and those of other libraries, read and written."""
