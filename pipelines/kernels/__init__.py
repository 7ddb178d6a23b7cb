"""Building blocks of numba code: intrinsics, UTF-8, hashes, Unicode tables, the compile cache.

numba imports three packages if they are installed: coverage, scipy, of which it checks the version, and yaml, to read
settings. Here it is imported without them, in 0.1 CPU s less. Which of them is imported already, it finds.
"""

from pathlib import Path

from gristmill.pipelines.hidden import hidden

with hidden("coverage", "scipy", *(() if Path(".numba_config.yaml").is_file() else ("yaml",))):
    import numba  # noqa: F401
