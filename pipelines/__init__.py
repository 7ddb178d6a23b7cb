"""Text in memory and on disk: readers, shards, manifests, steps. Imports none of the other rooms."""

import os

# The only side effect of importing Gristmill; pipelines/kernels/cache.py gives the reason. numba reads it at import.
os.environ.setdefault(
    "NUMBA_CACHE_LOCATOR_CLASSES",
    ",".join(f"gristmill.pipelines.kernels.cache.{name}" for name in ("Given", "Beside", "OfUser")),
)
