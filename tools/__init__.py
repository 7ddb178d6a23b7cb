"""Tools for those at work on Gristmill; not part of the package."""
