"""What numba code is built from: intrinsics, UTF-8, hashes, Unicode tables, the compile cache."""
