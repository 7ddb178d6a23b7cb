"""Text to ids: trainers, encoders, formats of other libraries, comparison. Imports only ``pipelines``."""
