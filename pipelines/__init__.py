"""How text is held and moved: readers, shards, manifests, steps. Imports none of the other rooms."""

import hashlib
import os
from pathlib import Path


def _kernel_cache() -> str:
    """A folder for numba's compiled kernels that no other state of the sources shares.

    numba compiles a kernel anew when its own file changes, but not when a file does that it was inlined from: a kernel
    over an older hash or class table would go on answering, wrongly.
    """
    root = Path(__file__).resolve().parents[1]
    files = sorted(
        path for room in ("pipelines", "filters", "dedup", "tokenizers_lab") for path in (root / room).rglob("*.py")
    )
    states = [f"{path.relative_to(root)} {path.stat().st_mtime_ns} {path.stat().st_size}\n" for path in files]
    name = hashlib.sha256("".join(states).encode()).hexdigest()[:16]
    return str(Path(__file__).parent / "__pycache__" / f"kernels-{name}")


# The one thing that importing Gristmill does. Where the folder cannot be written numba takes one that can.
os.environ.setdefault("NUMBA_CACHE_DIR", _kernel_cache())
