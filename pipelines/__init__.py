"""How text is held and moved: readers, shards, manifests, steps. Imports none of the other rooms."""

import os

# The one thing that importing Gristmill does (pipelines/kernels/cache.py says why). numba reads it when it is imported.
os.environ.setdefault(
    "NUMBA_CACHE_LOCATOR_CLASSES",
    ",".join(f"gristmill.pipelines.kernels.cache.{name}" for name in ("Given", "Beside", "OfUser")),
)
