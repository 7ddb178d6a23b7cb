"""gristmill explore: a finished run in the browser, read-only and of this machine alone."""
