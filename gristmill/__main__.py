"""The ``gristmill`` command, started as ``python -m gristmill``."""

from gristmill.flows.cli import main

if __name__ == "__main__":  # Dask's workers import this module too
    main()
