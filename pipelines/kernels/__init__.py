"""Building blocks of numba code: intrinsics, UTF-8, hashes, Unicode tables, the compile cache."""
