"""What can be said of, or done to, one document alone. Imports only ``pipelines``."""
